"""One reader of tables: what odd files hold, compared by hand and with pandas."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import math
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas._libs.parsers import STR_NA_VALUES

from nnrun.spec import files, tables
from nnrun.spec.csv_format import MISSING, CsvFormat

NAN = math.nan
INF = math.inf


def read(
    tmp_path: Path, content: str | bytes, name: str = "d.csv", **format: object
) -> tables.Table:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tables.read_csv(path, CsvFormat.model_validate(format, strict=False))


def cells(column: tables.Column) -> list[float | str | None]:
    if column.categories is None:
        assert column.numbers is not None
        return list(column.numbers.tolist())
    assert column.codes is not None
    return [column.categories[code] if code >= 0 else None for code in column.codes]


def same(left: object, right: object) -> bool:
    pair = (left, right)
    if all(isinstance(value, float) for value in pair) and all(map(math.isnan, pair)):  # type: ignore[arg-type]
        return True
    return left == right


GOOD: dict[str, tuple[str | bytes, dict[str, object], dict[str, list[object]]]] = {
    "numbers": ("a,b\n1,2.5\n-3,.5\n", {}, {"a": [1, -3], "b": [2.5, 0.5]}),
    "exponents": ("a\n1e3\n2E-2\n", {}, {"a": [1000, 0.02]}),
    "signs": ("a\n+1\n-1\n", {}, {"a": [1, -1]}),
    "no last newline": ("a\n1\n2", {}, {"a": [1, 2]}),
    "Windows lines": ("a,b\r\n1,x\r\n2,y\r\n", {}, {"a": [1, 2], "b": ["x", "y"]}),
    "old Mac lines": ("a,b\r1,x\r2,y\r", {}, {"a": [1, 2], "b": ["x", "y"]}),
    "empty lines": ("a,b\n\n1,2\n\n3,4\n\n", {}, {"a": [1, 3], "b": [2, 4]}),
    "lines of spaces": ("a,b\n1,2\n   \n3,4\n", {}, {"a": [1, 3], "b": [2, 4]}),
    "one column with spaces": ("a\n1\n  \n2\n", {}, {"a": [1, 2]}),
    "quoted nothing": ('a\n1\n""\n2\n', {}, {"a": [1, NAN, 2]}),
    "quoted numbers": ('a\n"1"\n"2"\n', {}, {"a": [1, 2]}),
    "spaces around numbers": ("a,b\n 1 , 2\n3 ,4 \n", {}, {"a": [1, 3], "b": [2, 4]}),
    "spaces around names": (" a , b\n1,2\n", {}, {"a": [1], "b": [2]}),
    "spaces around words": ("a,b\n1, yes\n2,yes \n3,no\n", {}, {"b": ["yes", "yes", "no"]}),
    "tabs around numbers": ("a,b\n1,\t2\n3,4\t\n", {}, {"a": [1, 3], "b": [2, 4]}),
    "a cell of spaces": ("a,b\n1,5\n2,  \n3,7\n", {}, {"b": [5, NAN, 7]}),
    "a quoted separator": ('a,b\n"x,y",1\nz,2\n', {}, {"a": ["x,y", "z"], "b": [1, 2]}),
    "a quoted newline": ('a,b\n"x\ny",1\nz,2\n', {}, {"a": ["x\ny", "z"], "b": [1, 2]}),
    "a doubled quote": ('a\n"x ""y"""\nz\n', {}, {"a": ['x "y"', "z"]}),
    "missing in every spelling": (
        "a,b\n1,\n2,NA\n3,NaN\n4,null\n5,N/A\n6,None\n7,#N/A\n8,9\n",
        {},
        {"b": [NAN] * 7 + [9]},
    ),
    "missing words": ("a,b\n1,x\n2,\n3,y\n", {}, {"b": ["x", None, "y"]}),
    "own missing value": ("a\n1\n?\n3\n", {"na_values": ["?"]}, {"a": [1, NAN, 3]}),
    "own missing number": ("a\n1\n-999\n3\n", {"na_values": ["-999"]}, {"a": [1, NAN, 3]}),
    "truth in one spelling": ("a\nTrue\nFalse\n", {}, {"a": ["True", "False"]}),
    "truth in five spellings": (
        "a\nTRUE\nTrue\ntrue\nFALSE\nFalse\n",
        {},
        {"a": ["True", "True", "True", "False", "False"]},
    ),
    "truth with a gap": ("a,b\n1,TRUE\n2,\n3,false\n", {}, {"b": ["True", None, "False"]}),
    "truth of one kind": ("a\nTRUE\ntrue\n", {}, {"a": ["True", "True"]}),
    "yes and no are words": ("a\nyes\nno\nYes\n", {}, {"a": ["yes", "no", "Yes"]}),
    "infinity": ("a\ninf\n-inf\n1\n", {}, {"a": [INF, -INF, 1]}),
    "too large for a float": ("a\n1e400\n1\n", {}, {"a": [INF, 1]}),
    "beyond 64 bits": ("a\n99999999999999999999999\n1\n", {}, {"a": [1e23, 1]}),
    "beyond 63 bits": ("a\n18446744073709551615\n1\n", {}, {"a": [2.0**64, 1]}),
    "all digits of a float": ("a\n0.1234567890123456\n1\n", {}, {"a": [0.1234567890123456, 1]}),
    "seconds since 1970": ("a\n1700000000.25\n1\n", {}, {"a": [1700000000.25, 1]}),
    "leading zeros": ("a\n007\n010\n", {}, {"a": [7, 10]}),
    "hexadecimal is a word": ("a\n0x10\n0x20\n", {}, {"a": ["0x10", "0x20"]}),
    "an underscore makes a word": ("a\n1_000\nx\n", {}, {"a": ["1_000", "x"]}),
    "digits of another script": ("a\n٣\nx\n", {}, {"a": ["٣", "x"]}),
    "a dash for nothing": ("a,b\n1,-\n2,x\n", {}, {"b": ["-", "x"]}),
    "sizes": ("a\n36\n38\nS\nM\nL\n", {}, {"a": ["36", "38", "S", "M", "L"]}),
    "a comment is a cell": ("a,b\n1,#2\n2,#3\n", {}, {"b": ["#2", "#3"]}),
    "semicolons": ("a;b\n1;2\n", {"separator": ";"}, {"a": [1], "b": [2]}),
    "tabs": ("a\tb\n1\t2\n", {"separator": "\t"}, {"a": [1], "b": [2]}),
    "bars": ("a|b\n1|2\n", {"separator": "|"}, {"a": [1], "b": [2]}),
    "a decimal comma": (
        "a;b\n1,5;x\n2,5;y\n",
        {"separator": ";", "decimal": ","},
        {"a": [1.5, 2.5]},
    ),
    "German numbers": (
        "a;b\n1.234,5;1\n2,5;2\n",
        {"separator": ";", "decimal": ",", "thousands": "."},
        {"a": [1234.5, 2.5]},
    ),
    "English thousands": (
        'a\n"1,234"\n"12,345,678.5"\n',
        {"thousands": ","},
        {"a": [1234, 12345678.5]},
    ),
    "Swiss thousands": ("a\n1'234\n5\n", {"thousands": "'"}, {"a": [1234, 5]}),
    "French thousands": (
        "a;b\n1 234,5;1\n5;2\n",
        {"separator": ";", "decimal": ",", "thousands": " "},
        {"a": [1234.5, 5]},
    ),
    "UTF-8 with its mark": (codecs.BOM_UTF8 + "ä,b\n1,2\n".encode(), {}, {"ä": [1], "b": [2]}),
    "Latin 1": ("a\nä\nö\n".encode("latin-1"), {"encoding": "latin-1"}, {"a": ["ä", "ö"]}),
    "Windows 1252": ("a\n€\nx\n".encode("cp1252"), {"encoding": "cp1252"}, {"a": ["€", "x"]}),
    "UTF-16": ("a,b\n1,ä\n".encode("utf-16"), {"encoding": "utf-16"}, {"a": [1], "b": ["ä"]}),
    "Shift JIS": (
        "a\n日本\nx\n".encode("shift_jis"),
        {"encoding": "shift_jis"},
        {"a": ["日本", "x"]},
    ),
    "an emoji": ("a\n🙂\nx\n", {}, {"a": ["🙂", "x"]}),
    "no header": ("1,2\n3,4\n", {"header": False}, {"0": [1, 3], "1": [2, 4]}),
    "no header and words": ("1,x\n3,y\n", {"header": False}, {"0": [1, 3], "1": ["x", "y"]}),
    "pandas' index": (",b\n0,5\n1,6\n", {}, {"Unnamed: 0": [0, 1], "b": [5, 6]}),
    "numbers for names": ("2019,2020\n1,2\n", {}, {"2019": [1], "2020": [2]}),
    "a cell of 200,000 characters": ("a,b\n1," + "x" * 200_000 + "\n2,y\n", {}, {"a": [1, 2]}),
    "a number of 130,000 digits": ("a\n" + "9" * 130_000 + "\n1\n", {}, {"a": [INF, 1]}),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_file_holds_these_cells(case: str, tmp_path: Path) -> None:
    """Numbers are float64, words are stripped, and None or NaN stands for no value."""
    content, format, expected = GOOD[case]

    table = read(tmp_path, content, **format)

    for name, values in expected.items():
        got = cells(table.columns[name])
        assert len(got) == table.rows
        assert all(map(same, got, values)), (name, got)


@pytest.mark.parametrize("case", [name for name in GOOD if "thousands" not in name])
def test_numbers_are_those_of_pandas(case: str, tmp_path: Path) -> None:
    """Where pandas finds numbers, so does nnrun, and the same ones."""
    content, format, _ = GOOD[case]
    known = {
        "separator": "sep",
        "decimal": "decimal",
        "encoding": "encoding",
        "na_values": "na_values",
    }
    options = {known[key]: value for key, value in format.items() if key in known}
    header = None if format.get("header") is False else 0
    thousands = format.get("thousands")

    table = read(tmp_path, content, **format)
    frame = pd.read_csv(tmp_path / "d.csv", header=header, thousands=thousands, **options)  # type: ignore[call-overload]

    for name, values in frame.items():
        if values.dtype.kind in "iuf":
            column = table.columns[str(name).strip()]
            np.testing.assert_array_equal(column.numbers, values.to_numpy(np.float64))


# Where a sample is read, pandas is not asked.
SAMPLED = {name: (content, format) for name, (content, format, _) in GOOD.items()} | {
    "gaps with spaces around them": ("a,b\n1, NA\n2, 3\n3,NULL \n", {}),
    "an own missing number, written otherwise": ("a,b\n1,x\n-999.0,y\n-999,z\n", {"na_values": ["-999"]}),
    "an own missing number with spaces": ("a,b\n1, -999\n2, 3\n", {"na_values": ["-999"]}),
    "truth beside numbers": ("a\nTrue\n1\n0\n", {}),
    "nothing but gaps": ("a,b\n1,\n2,NA\n", {}),
    "signs and gaps": ("a\n-0\n+nan\n-inf\nInfinity\n", {}),
    "numbers like words": ("a\n1_0\n1e5\n1e\n", {}),
    "a space of another kind": ("a\n1\u00a0\n2\n3\n", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", SAMPLED)
@pytest.mark.parametrize("words", [False, True])
def test_a_sample_is_read_as_the_whole_file_is(case: str, *, words: bool, tmp_path: Path) -> None:
    """Also with types given: `check` sees what training trains on."""
    content, format = SAMPLED[case]
    whole = read(tmp_path, content, **format)
    path, form = tmp_path / "d.csv", CsvFormat.model_validate(format, strict=False)
    names = {*whole.columns} if words else set()
    whole = tables.read_csv(path, form, kinds=dict.fromkeys(names, "category"))

    sample = tables.read_csv(path, form, kinds=dict.fromkeys(names, "category"), sample=True)

    assert sample.columns.keys() == whole.columns.keys()
    assert sample.rows == whole.rows
    assert not sample.is_sample
    for name, column in whole.columns.items():
        found = sample.columns[name]
        assert (found.categories, found.problem) == (column.categories, column.problem)
        np.testing.assert_array_equal(found.codes, column.codes)
        np.testing.assert_array_equal(found.numbers, column.numbers)


def test_cells_without_a_value_are_those_of_pandas() -> None:
    """They are given to pandas, so that all of its versions agree."""
    assert MISSING == STR_NA_VALUES


def test_a_sample_is_read_without_pandas(tmp_path: Path) -> None:
    """It takes half a second to load, and `check` answers at once."""
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    frame = pd.DataFrame({"a": [1.5, None], "b": [1, 2], "c": ["x", None]})
    frame.to_csv(tmp_path / "d.csv")
    frame.to_parquet(tmp_path / "d.parquet")
    program = (
        "import sys; from pathlib import Path; from nnrun.spec import tables;"
        "tables.read_csv(Path('d.csv'), tables.CsvFormat(), sample=True);"
        "tables.read_parquet(Path('d.parquet'), sample=True); print('pandas' in sys.modules)"
    )

    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert answer.stdout == "False\n"


WORDS = {
    "versions": ["1.0.0", "1.1.0", "1.2.0"],
    "addresses": ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
    "seats": ["12A", "13A", "14B"],
    "ranges": ["0-5", "5-10", "10-15"],
    "fractions": ["1/8", "3/8", "5/8"],
    "ages": ["<18", "18-64", "65+"],
    "grades": ["A*", "A", "B"],
    "ordinals": ["1st", "2nd", "3rd"],
    "months alone": ["Jan", "Feb", "Mar"],
    "names like months": ["Mario", "June", "Augusta"],
    "phases": ["T1", "T2", "T3"],
    "signs": ["+", "-", "±"],
}


@pytest.mark.parametrize("case", WORDS)
def test_words_with_digits_are_categories(case: str, tmp_path: Path) -> None:
    """They look a little like dates and numbers."""
    column = read(tmp_path, "a\n" + "\n".join(WORDS[case]) + "\n").columns["a"]

    assert column.problem == ""
    assert column.categories == tuple(sorted(WORDS[case]))


OTHER_KINDS: dict[str, tuple[bytes, str]] = {
    "gzip": (gzip.compress(b"a\n1\n"), "is compressed, and its name must end in .gz"),
    "bzip2": (bz2.compress(b"a\n1\n"), "is compressed, and its name must end in .bz2"),
    "xz": (lzma.compress(b"a\n1\n"), "is compressed, and its name must end in .xz"),
    "Excel": (b"PK\x03\x04\x14\x00", "is an Excel file or a zip archive, despite its name"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an Excel file, despite its name"),
    "Parquet": (b"PAR1\x15\x04", "is a Parquet file, despite its name; write name: parquet"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", "only a pointer to the file"),
    "for Excel": (b"sep=;\na;b\n1;2\n", "begins with 'sep='"),
    "UTF-16": ("a\n1\n".encode("utf-16"), "is not UTF-8 text; write encoding: utf-16"),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_file_of_another_kind_is_named(kind: str, tmp_path: Path) -> None:
    """Whatever its name ends in."""
    content, message = OTHER_KINDS[kind]

    with pytest.raises(ValueError, match=message):
        read(tmp_path, content)


BAD: dict[str, tuple[str | bytes, dict[str, object], str]] = {
    "nothing": ("", {}, "is empty"),
    "only a header": ("a,b\n", {}, "holds no rows"),
    "two equal names": ("a,b,a\n1,2,3\n", {}, "has two columns 'a'"),
    "a short row": ("a,b\n1,2\n3\n", {}, "line 3 has 1 cells, but the header has 2"),
    "a long row": ("a,b\n1,2\n3,4,5\n", {}, "line 3 has 3 cells, but the header has 2"),
    "a comma after every row": (
        "a,b\n1,2,\n3,4,\n",
        {},
        "line 2 has 3 cells, but the header has 2",
    ),
    "a short row after a quoted newline": ('a,b\n"x\ny",1\n3\n', {}, "line 4 has 1 cells"),
    "an open quote": ('a,b\n1,"x\n2,y\n', {}, "line 3 is not CSV"),
    "text after a quote": ('a,b\n1,"x"y\n', {}, "line 2 is not CSV"),
    "another encoding": ("a\nä\n".encode("latin-1"), {}, "is not UTF-8 text; give its encoding"),
    "a wrong encoding": ("a\nä\n".encode(), {"encoding": "utf-16"}, "is not utf-16 text"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_is_refused_with_its_line(case: str, tmp_path: Path) -> None:
    """Pandas reads some of these, and shifts or invents cells."""
    content, format, message = BAD[case]

    with pytest.raises(ValueError, match=message):
        read(tmp_path, content, **format)


ROWS = "".join(f"{at},{at * 1.5}\n" for at in range(30))
ODD: dict[str, tuple[str, str]] = {
    "a question mark": ("a,b\n" + ROWS + "30,?\n", "is '?' on line 32, and a number in other rows"),
    "not available": ("a,b\n" + ROWS + "30,n.a.\n", "na_values: ['n.a.']"),
    "one decimal comma": ("a,b\n" + ROWS + '30,"1,5"\n', "is '1,5' on line 32"),
    "one percentage": ("a,b\n" + ROWS + "30,45%\n", "types: {b: category}"),
    "decimal commas": ("a;b\n1;1,5\n2;2,5\n3;3,75\n", "decimal: ','"),
    "percentages": ("a,b\n1,5%\n2,6 %\n3,7.5%\n", "is '5%' on line 2, a percentage"),
    "thousands": ('a,b\n1,"1,234"\n2,"2,345"\n3,"3,456"\n', "thousands: ','"),
    "amounts": ("a,b\n1,$5\n2,$6\n3,$7.5\n", "an amount of money"),
    "dates": (
        "a,b\n1,2024-01-05\n2,2024-01-06\n3,2024-02-06\n",
        "is '2024-01-05' on line 2, a date",
    ),
    "German dates": ("a,b\n1,5.1.2024\n2,6.1.2024\n3,6.2.2024\n", "a date"),
    "dates with times": (
        "a,b\n1,2024-01-05 10:00:00\n2,2024-01-06T11:30\n3,2024-02-06 12:00\n",
        "a date",
    ),
    "ids": (
        "a,b\n" + "".join(f"{at},P{at}\n" for at in range(30)),
        "30 different words in 30 rows",
    ),
    **{
        name: ("a,b\n" + "".join(f"{at},{cell}\n" for at, cell in enumerate(written)), problem)
        for name, written, problem in (
            ("times", ["10:30", "10:45", "23:59:01"], "is '10:30' on line 2, a time"),
            ("days by name", ["1 Jan 2024", "2 Feb 2024", "3 March 2024"], "a date"),
            ("days in English", ['"Jan 1, 2024"', '"Feb 2, 2024"', '"May 3, 2024"'], "a date"),
            ("months", ["2024-01", "2024-02", "2024-03"], "a date"),
            ("months by name", ["Jan-24", "Feb-24", "Mar-24"], "a date"),
            ("weeks", ["2024-W01", "2024-W02", "2024-W03"], "a date"),
            ("short years", ["1/2/24", "2/2/24", "3/2/24"], "a date"),
            ("units", ["1 kg", "2 kg", "2.5kg"], "a number with a unit"),
            ("degrees", ["1°C", "2 °C", "-2.5 °C"], "a number with a unit"),
            ("meters", ["1 m", "2 m", "3 m"], "a number with a unit"),
            ("bounds among numbers", ["<5", "7", "<6", "8", "<7", "9"], "other characters"),
            ("another minus", ["−1.5", "−2", "−3"], "is '−1.5' on line 2, a number with other"),
            ("brackets", ["(1.5)", "(2)", "(3)"], "a number with other characters"),
            ("apostrophes", ["'1", "'2", "'3"], "a number with other characters"),
            ("footnotes", ["1*", "2*", "3**"], "a number with other characters"),
            ("spaces in numbers", ["1\u00a0234", "2 345", "3\u202f456"], "other characters"),
        )
    },
    "nothing at all": ("a,b\n1,\n2,\n", "has no value at all"),
}


@pytest.mark.parametrize("case", ODD)
def test_a_column_that_makes_no_good_feature_says_why(case: str, tmp_path: Path) -> None:
    """It would become a feature per cell, or none."""
    content, problem = ODD[case]
    separator = ";" if ";" in content else ","

    column = read(tmp_path, content, separator=separator).columns["b"]

    assert problem in column.problem


def test_types_of_a_spec_decide(tmp_path: Path) -> None:
    """Postcodes keep their zeros; a column of numbers must hold numbers."""
    path = tmp_path / "d.csv"
    path.write_text("zip,b\n01234,1\n99999,x\n", encoding="utf-8")

    codes = tables.read_csv(path, CsvFormat(), kinds={"zip": "category"}).columns["zip"]

    assert cells(codes) == ["01234", "99999"]
    with pytest.raises(ValueError, match="'b' is 'x' on line 3, and must be a number"):
        tables.read_csv(path, CsvFormat(), kinds={"b": "number"})


@pytest.mark.parametrize(
    ("written", "classes"),
    [
        (["1234560", "1234561", "1234562"], ("1234560", "1234561", "1234562")),
        (["90071992547409931", "90071992547409932"], ("90071992547409931", "90071992547409932")),
        (["2", "10", "1"], ("1", "2", "10")),
        (["1.0", "1", "2.0"], ("1", "2")),
        (["0.1", "0.10", "0.30000000000000004", "0.3"], ("0.1", "0.3", "0.30000000000000004")),
        (["-1", "1"], ("-1", "1")),
        (["01", "1"], ("1",)),
        (["spam", "ham"], ("ham", "spam")),
        (["TRUE", "true", "False"], ("False", "True")),
    ],
)
def test_classes_are_named_exactly(
    written: list[str], classes: tuple[str, ...], tmp_path: Path
) -> None:
    """Whatever their number of digits, and sorted by value."""
    path = tmp_path / "d.csv"
    path.write_text("y\n" + "\n".join(written) + "\n", encoding="utf-8")

    column = tables.read_csv(path, CsvFormat(), classes={"y"}).columns["y"]

    assert column.categories == classes


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)],
)
def test_a_compressed_file_is_read(suffix: str, compress: object, tmp_path: Path) -> None:
    """By its suffix; a file that is something else is refused."""
    assert callable(compress)

    table = read(tmp_path, compress(b"a\n1\n2\n"), f"d.csv{suffix}")

    assert cells(table.columns["a"]) == [1, 2]
    with pytest.raises(ValueError, match="cannot be decompressed"):
        read(tmp_path, b"a\n1\n2\n", f"e.csv{suffix}")


@pytest.mark.parametrize(
    ("limit", "message"), [("LONGEST_LINE", "line of more than"), ("", "needs about")]
)
def test_an_endless_line_of_a_compressed_file_is_refused(
    limit: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file unpacks to any size: here 3 kB to 3 MB."""
    if limit:
        monkeypatch.setattr(tables, limit, 1_000_000)
    else:
        monkeypatch.setattr(files, "memory", lambda: 1_000_000)

    with pytest.raises(ValueError, match=message):
        read(tmp_path, gzip.compress(b"a\n" + b"x" * 3_000_000), "d.csv.gz")


def test_columns_of_a_wide_parquet_file_have_the_types_of_its_schema(tmp_path: Path) -> None:
    """The last 1,500 columns of numbers are not sampled; words are, wherever they stand."""
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    frame = pd.DataFrame(np.zeros((300, 2500)), columns=[f"c{at}" for at in range(2500)])
    frame.insert(2400, "word", ["x", "y"] * 150)
    frame.set_index(pd.Index(range(300), name="index")).to_parquet(tmp_path / "d.parquet")

    table = tables.read_parquet(tmp_path / "d.parquet", sample=True)

    assert table.is_sample
    assert [*table.columns] == [*frame.columns]
    assert table.columns["word"].categories == ("x", "y")
    assert not any(column.problem for column in table.columns.values())
    assert not tables.read_parquet(tmp_path / "d.parquet", sample=False).is_sample


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    """Reading it would wait forever."""
    os.mkfifo(tmp_path / "d.csv")

    with pytest.raises(OSError, match="it is a pipe or a device"):
        tables.read_csv(tmp_path / "d.csv", CsvFormat())


def test_a_sample_is_the_beginning(tmp_path: Path) -> None:
    """Where a check has little time, and it is said to be one."""
    path = tmp_path / "d.csv"
    path.write_text("a,b\n" + "1.234567,x\n" * 600_000, encoding="utf-8")

    table = tables.read_csv(path, CsvFormat(), sample=True)

    assert table.is_sample
    assert 50_000 < table.rows < 100_000
    assert not read(tmp_path, "a\n1\n").is_sample


def test_a_column_that_numbers_the_rows_is_noticed(tmp_path: Path) -> None:
    """As the index that pandas writes, whatever its name."""
    rows = "".join(f"{at},{at % 7}\n" for at in range(1, 40))

    table = read(tmp_path, f"id,b\n{rows}")

    assert table.columns["id"].counts
    assert not table.columns["b"].counts


def test_types_of_a_parquet_file_hold(tmp_path: Path) -> None:
    """A decimal is a number, a text is a category, and lists are refused by name."""
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    rows = 24
    frame = pd.DataFrame(
        {
            "price": [Decimal("1.25"), Decimal("2.50")] * 12,
            "whole": range(rows),
            "gap": [1, None] * 12,
            "word": ["1", "x"] * 12,
            "truth": [True, None] * 12,
            "kind": pd.Categorical(["b", "a"] * 12),
            "none": [None] * rows,
            "list": [np.zeros(2)] * rows,
            "day": pd.date_range("2024-01-01", periods=rows),
        }
    )
    frame.to_parquet(tmp_path / "d.parquet")

    columns = tables.read_parquet(tmp_path / "d.parquet").columns

    assert cells(columns["price"])[:2] == [1.25, 2.5]
    assert columns["whole"].counts
    assert columns["gap"].missing.tolist()[:2] == [1, 3]
    assert columns["word"].categories == ("1", "x")
    assert cells(columns["truth"])[:2] == ["True", None]
    assert cells(columns["kind"])[:2] == ["b", "a"]
    assert "no value at all" in columns["none"].problem
    assert "instead of single values" in columns["list"].problem
    assert "a date" in columns["day"].problem


@pytest.mark.parametrize("step", [5, 11])
def test_a_damaged_parquet_file_is_read_or_refused(step: int, tmp_path: Path) -> None:
    """Pyarrow and pandas raise a dozen kinds of errors, some of several lines."""
    path = tmp_path / "d.parquet"
    pd.DataFrame({"a": [1.5, 2], "b": ["x", "y"]}).to_parquet(path)
    content = path.read_bytes()
    messages = []
    for at in range(0, len(content), step):
        path.write_bytes(content[:at] + bytes([content[at] ^ 9]) + content[at + 1 :])
        try:
            tables.read_parquet(path)
        except ValueError as error:
            messages.append(str(error))

    assert messages
    assert not [message for message in messages if "\n" in message]


def test_tables_beyond_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hole in a file is one line of zeros, and equal cells of Parquet take no place."""
    csv, parquet = tmp_path / "d.csv", tmp_path / "d.parquet"
    csv.write_text("a,b\n1,2\n")
    os.truncate(csv, 20_000_000)
    pd.DataFrame({"a": np.zeros(1_000_000)}).to_parquet(parquet)
    monkeypatch.setattr(files, "memory", lambda: 6_000_000)

    with pytest.raises(ValueError, match=r"needs about 20.0 MB of memory, and there are 6.0 MB"):
        tables.read_csv(csv, CsvFormat())
    with pytest.raises(ValueError, match=r"needs about 8.0 MB of memory"):
        tables.read_parquet(parquet)
