"""User tables: the rows of a CSV or Parquet file, with words as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nnrun.data import columns, datasets, preprocessing, splits
from nnrun.errors import DataError, IncompatibleSpec
from nnrun.spec import files
from nnrun.spec.dataset import Csv, Parquet
from nnrun.spec.prepare import Impute
from nnrun.spec.validation import Holdout, KFold, Validation
from nnrun.types import Array, Dataset

SHIPPED = Path(__file__).parents[3] / "configs" / "own" / "data"
INCOMPLETE = """\
size,colour,alive,kind
1.5,red,True,a
,blue,False,b
2.5,,True,a
3.5,red,False,b
4.5,blue,True,a
5.5,red,False,b
6.5,red,True,a
7.5,blue,False,b
8.5,red,True,a
9.5,red,False,b
"""
COMPLETE = INCOMPLETE.replace("\n,blue", "\n1.0,blue").replace("2.5,,", "2.5,red,")


def spec(path: Path, text: str | None = None, **arguments: Any) -> Csv:
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return Csv(name="csv", path=str(path), **{"target": "kind", **arguments})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "things.csv"


@pytest.fixture
def held(tmp_path: Path) -> Path:
    return tmp_path / "held.csv"


def rows(dataset: Dataset) -> Array:
    return np.concatenate([np.asarray(dataset.train.x), np.asarray(dataset.test.x)])


def test_words_become_one_hot_columns_and_numbers_stay(file: Path) -> None:
    dataset = datasets.load(spec(file, COMPLETE))

    assert dataset.features == ("size", "colour=blue", "colour=red", "alive=False", "alive=True")
    assert dataset.classes == ("a", "b")
    assert sorted(rows(dataset)[:, 0]) == [1.0, *np.arange(1.5, 10)]
    np.testing.assert_array_equal(rows(dataset)[:, 1:3].sum(axis=1), 1)


def test_words_may_become_codes(file: Path) -> None:
    """All columns together have distinct codes, so one `Embedding` can take them."""
    dataset = datasets.load(spec(file, COMPLETE, categories="codes", features=("colour", "alive")))

    assert dataset.features == ("colour", "alive")
    assert [{*column} for column in rows(dataset).T] == [{0, 1}, {2, 3}]


@pytest.mark.parametrize(("name", "target"), [("cars", "mpg"), ("flowers", "species")])
def test_the_profile_agrees_with_pandas(name: str, target: str) -> None:
    """The check and the loader must not differ over a column."""
    csv = spec(SHIPPED / f"{name}.csv", target=target, prepare=(Impute(),))
    dataset, profile = datasets.load(csv), csv.profile()

    assert profile.shape == dataset.train.x.shape[1:]  # type: ignore[union-attr]
    assert len(profile.classes) == len(dataset.classes)
    assert (profile.train, profile.test) == (len(dataset.train), len(dataset.test))


def test_numbers_can_be_classes(file: Path) -> None:
    text = "x,grade\n" + "".join(f"{n / 10},{n % 3}\n" for n in range(30))

    assert datasets.load(spec(file, text, target="grade")).classes == ()
    classified = datasets.load(spec(file, target="grade", task="classification"))
    assert classified.classes == ("0", "1", "2")


def test_parquet_gives_the_same_rows(file: Path, tmp_path: Path) -> None:
    csv = datasets.load(spec(file, COMPLETE))
    pd.read_csv(file).to_parquet(tmp_path / "things.parquet")
    parquet = Parquet(name="parquet", path=str(tmp_path / "things.parquet"), target="kind")

    assert datasets.digest(datasets.load(parquet)) == datasets.digest(csv)


def test_a_file_with_a_byte_order_mark_and_carriage_returns_is_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + COMPLETE.replace("\n", "\r\n").encode())

    assert datasets.load(spec(file)).features[0] == "size"


def test_a_test_file_is_encoded_as_the_training_file(file: Path, held: Path) -> None:
    held.write_text("kind,size,colour,alive\nb,0.5,red,True\n", encoding="utf-8")
    dataset = datasets.load(spec(file, COMPLETE, test=str(held)))

    assert len(dataset.train) == 10
    np.testing.assert_array_equal(dataset.test.x, [[0.5, 0, 1, 0, 1]])  # type: ignore[arg-type]
    assert dataset.test.y.tolist() == [1]

    held.write_text("size,colour,alive,kind\n1,green,True,a\n", encoding="utf-8")
    unknown = datasets.load(spec(file, COMPLETE, test=str(held)))
    np.testing.assert_array_equal(unknown.test.x, [[1, 0, 0, 0, 1]])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"held.csv:2: 'colour' is 'green', which the training"):
        datasets.load(spec(file, COMPLETE, test=str(held), categories="codes"))


@pytest.mark.parametrize(
    ("strategy", "fill"), [("mean", 5.5), ("median", 5.5), ("most_frequent", 1.5)]
)
def test_missing_values_are_filled_from_training_rows(strategy: Any, fill: float) -> None:
    """The last row does not train; words become the most frequent word."""
    x = np.array([[1.5, 1, 0], [9.5, 0, 1], [np.nan, 0, 1], [5.5, np.nan, np.nan], [99, 1, 0]])
    [fitted] = preprocessing.fit(
        [Impute(strategy=strategy)], x, rows=np.arange(4), groups=[range(1, 3)]
    ).steps

    np.testing.assert_array_equal(fitted.state["fill"], [fill, 0, 1])


def test_each_fold_fills_from_its_own_rows(file: Path) -> None:
    dataset = datasets.load(spec(file, INCOMPLETE, prepare=(Impute(),)))
    x, groups = np.asarray(dataset.train.x), columns.groups(dataset.columns)
    fills = []
    for fold in (np.arange(4), np.arange(4, 8)):
        [fitted] = preprocessing.fit([Impute()], x, rows=fold, groups=groups).steps
        fills.append(fitted.state["fill"][0])
        assert fills[-1] == np.nanmean(x[fold, 0])

    assert fills[0] != fills[1]


RARE = "a,kind\n" + "1,x\n2,z\n" * 20 + "5,rare\n"
INFINITE = "a,kind\n" + "1,2\n2,3\n" * 20 + "1e999,4\n"
BROKEN = {
    "empty": ("", "is empty; a table begins with its column names"),
    "only a header": ("a,kind\n", "holds no rows"),
    "equal names": ("a,a,kind\n1,2,x\n", "has two columns 'a'"),
    "a short line": ("a,kind\n1,x\n2\n", "line 3 has 1 cells, but the header has 2"),
    "an open quote": ('a,kind\n"1,x\n', "is not CSV"),
    "no such target": ("a,b\n1,2\n", "has no column 'kind'"),
    "no value": ("a,kind\n1,x\n,y\n", "things.csv:3: 'a' is missing, there and in 0 other rows"),
    "no label": ("a,kind\n1,x\n2,\n", "things.csv:3: 'kind', the target, is missing"),
    "a class of one row": (RARE, "csv: class 'rare' has a single row"),
    "an infinite number": (INFINITE, "things.csv:42: 'a' is no finite number"),
    "not UTF-8": ("a,kind\n\udcff\udcfe,x\n", "is not UTF-8 text"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_invalid_file_is_refused_with_the_line(case: str, file: Path) -> None:
    text, message = BROKEN[case]
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message):
        datasets.load(spec(file))


@pytest.mark.parametrize("categories", ["one_hot", "codes"])
def test_rows_of_one_word_stay_together_in_folds(categories: Any, file: Path) -> None:
    """One group tests, and each fold validates one; rows without a value form one group."""
    names = ["ann", "bob", "cid", "dan", ""]
    lines = "".join(f"{row},{names[row % 5]},{row * 2}\n" for row in range(60))
    steps = (Impute(strategy="most_frequent"),)
    arguments = {"target": "y", "groups": "who", "features": ("size", "who")}
    csv = spec(file, f"size,who,y\n{lines}", categories=categories, prepare=steps, **arguments)
    dataset = datasets.load(csv)
    who = np.asarray(dataset.train.x)[:, 1:]
    folds = splits.folds(KFold(folds=4), dataset, seed=0)

    assert len(folds) == 4
    for fold in folds:
        held = {row.tobytes() for row in who[fold.validation]}
        assert len(held) == 1
        assert not held & {row.tobytes() for row in who[fold.train]}


def test_categories_beyond_the_memory_are_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of many words has a column of its own, of numbers of eight bytes."""
    lines = "".join(f"{row % 400}w,{row % 2}c\n" for row in range(1000))
    dataset = spec(file, f"word,kind\n{lines}")
    monkeypatch.setattr(files, "memory", lambda: 9_000_000)

    message = "1,000 rows of 400 numbers, one for each category: needs about 9.6 MB of memory"
    with pytest.raises(DataError, match=message):
        datasets.load(dataset)

    assert datasets.load(spec(file, categories="codes")).features == ("word",)


def test_another_weight_is_another_data_set(file: Path) -> None:
    """A run must not continue with it."""
    one, other = (
        datasets.load(spec(file, COMPLETE.replace("1.5,red", f"{weight},red"), weight="size"))
        for weight in (1.5, 2.5)
    )

    assert np.array_equal(np.asarray(one.train.x), np.asarray(other.train.x))
    assert datasets.digest(one) != datasets.digest(other)


def test_rows_of_another_file_validate(file: Path, held: Path) -> None:
    """They follow the training rows; a group in both files is one group."""
    first, *lines = COMPLETE.splitlines()
    file.write_text("\n".join([first, *lines[:7]]), encoding="utf-8")
    held.write_text("\n".join([first, *lines[7:]]), encoding="utf-8")
    arguments = {"groups": "colour", "features": ("size", "colour"), "test_split": 0.5}
    dataset = datasets.load(spec(file, **arguments, validation=str(held)))
    alone = datasets.load(spec(file, **arguments))
    train, fold = dataset.train, splits.holdout(Validation(), dataset.train, seed=0)

    assert len(fold.validation) == 3
    np.testing.assert_array_equal(np.asarray(train.x)[fold.train], alone.train.x)
    np.testing.assert_array_equal(np.asarray(train.x)[fold.validation, 0], [7.5, 8.5, 9.5])
    assert train.row_numbers(fold.validation).tolist() == [7, 8, 9]
    assert train.groups is not None
    colours = np.asarray(train.x)[:, 1].tolist()
    assert len({*zip(colours, train.groups.tolist(), strict=True)}) == len({*colours}) == 2
    with pytest.raises(IncompatibleSpec, match="`dataset` names the validation rows"):
        splits.holdout(Validation(holdout=Holdout(size=0.2)), train, seed=0)


def test_validation_rows_have_the_types_and_classes_of_the_training_file(
    file: Path, held: Path
) -> None:
    for old, new, message in (
        ("9.5", "many", "column 'size' is 'many' on line 11, and a number in other rows"),
        (",b\n", ",c\n", "'c' is no class of the training file"),
    ):
        held.write_text(COMPLETE.replace(old, new), encoding="utf-8")
        with pytest.raises(DataError, match=message):
            datasets.load(spec(file, COMPLETE, validation=str(held)))


def test_several_test_sets_have_names(file: Path, held: Path) -> None:
    """Row numbers are those of each file."""
    held.write_text("\n".join(COMPLETE.splitlines()[:4]), encoding="utf-8")
    dataset = datasets.load(spec(file, COMPLETE, test={"first": str(held), "all": str(file)}))
    sets = dataset.test.test_sets

    assert {name: rows.tolist() for name, rows in sets.items()} == {
        "first": [0, 1, 2],
        "all": [*range(3, 13)],
    }
    assert dataset.test.row_numbers(sets["all"]).tolist() == [*range(10)]
    alone = datasets.load(spec(file, COMPLETE, test=str(held)))
    np.testing.assert_array_equal(np.asarray(dataset.test.x)[:3], alone.test.x)
    assert alone.test.test_sets == {}


def test_a_split_column_goes_with_files_of_validation_and_test_rows(file: Path, held: Path) -> None:
    """Rows that it names for a test beside those of a test file are refused."""
    first, *lines = COMPLETE.splitlines()
    words = ["train"] * 8 + ["validation"] * 2
    rows = [f"{line},{word}" for line, word in zip(lines, words, strict=True)]
    held.write_text("\n".join([f"{first},part", *rows[:3]]), encoding="utf-8")
    divided = "\n".join([f"{first},part", *rows])
    others = {"split": "part", "test": str(held), "validation": str(held)}
    train = datasets.load(spec(file, divided, **others)).train

    assert train.held_out is not None
    assert np.flatnonzero(train.held_out).tolist() == [8, 9, 10, 11, 12]
    with pytest.raises(DataError, match=r"things.csv:11: 'part' is test, and dataset.test names"):
        datasets.load(spec(file, divided[: -len("validation")] + "test", **others))
