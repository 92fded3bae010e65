"""A person's own tables: what is in a CSV or Parquet file is what a model is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nnrun.data import columns, datasets, preprocessing, splits
from nnrun.errors import DataError
from nnrun.spec.dataset import Csv, Parquet
from nnrun.spec.prepare import Impute
from nnrun.spec.profile import MISSING, inspect_table
from nnrun.spec.validation import KFold
from nnrun.types import Dataset

SHIPPED = Path(__file__).parents[3] / "configs" / "own" / "data"
HOLES = """\
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
WHOLE = HOLES.replace("\n,blue", "\n1.0,blue").replace("2.5,,", "2.5,red,")


def spec(path: Path, text: str | None = None, **arguments: Any) -> Csv:
    if text is not None:
        path.write_text(text, encoding="utf-8")
    told = {"target": "kind", **arguments}
    return Csv(name="csv", path=str(path), **told)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "things.csv"


def rows(dataset: Dataset) -> Any:
    return np.concatenate([np.asarray(dataset.train.x), np.asarray(dataset.test.x)])


def test_words_become_a_column_each_and_numbers_stay(file: Path) -> None:
    dataset = datasets.load(spec(file, WHOLE))

    assert dataset.features == (
        "size",
        "colour=blue",
        "colour=red",
        "alive=False",
        "alive=True",
    )
    assert dataset.classes == ("a", "b")
    assert sorted(rows(dataset)[:, 0]) == [1.0, *np.arange(1.5, 10)]
    np.testing.assert_array_equal(rows(dataset)[:, 1:3].sum(axis=1), 1)


def test_words_may_become_numbers_of_their_own(file: Path) -> None:
    """So that one `Embedding` can take all columns."""
    dataset = datasets.load(spec(file, WHOLE, categories="codes", features=("colour", "alive")))

    assert dataset.features == ("colour", "alive")
    assert {*rows(dataset)[:, 0]} == {0, 1}
    assert {*rows(dataset)[:, 1]} == {2, 3}


@pytest.mark.parametrize("name", ["cars", "flowers"])
def test_a_look_finds_what_pandas_finds(name: str) -> None:
    """The check and the loader must not differ over a column."""
    target = {"cars": "mpg", "flowers": "species"}[name]
    told = spec(SHIPPED / f"{name}.csv", target=target, prepare=(Impute(),))
    dataset, known = datasets.load(told), told.profile()

    assert known.shape == dataset.train.x.shape[1:]  # type: ignore[union-attr]
    assert len(known.classes) == len(dataset.classes)
    assert (known.train, known.test) == (len(dataset.train), len(dataset.test))


@pytest.mark.parametrize("word", sorted(MISSING))
def test_a_word_for_nothing_is_one_for_pandas_too(word: str, file: Path) -> None:
    file.write_text(f"n,kind\n1,a\n{word},b\n", encoding="utf-8")
    found = inspect_table(file, ",").columns["n"]

    assert found is not None
    assert found.missing == (3,)
    assert pd.read_csv(file)["n"].isna().tolist() == [False, True]


def test_a_column_of_few_numbers_can_be_told_to_be_classes(file: Path) -> None:
    text = "x,grade\n" + "".join(f"{n / 10},{n % 3}\n" for n in range(30))

    assert datasets.load(spec(file, text, target="grade")).classes == ()
    assert datasets.load(spec(file, target="grade", task="classification")).classes == (
        *("0", "1", "2"),
    )


def test_parquet_gives_the_same_rows(file: Path, tmp_path: Path) -> None:
    ours = datasets.load(spec(file, WHOLE))
    pd.read_csv(file).to_parquet(tmp_path / "things.parquet")
    other = Parquet(name="parquet", path=str(tmp_path / "things.parquet"), target="kind")

    assert datasets.digest(datasets.load(other)) == datasets.digest(ours)


def test_a_file_of_its_own_is_tested_on(file: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.csv"
    held.write_text("kind,size,colour,alive\nb,0.5,red,True\n", encoding="utf-8")
    dataset = datasets.load(spec(file, WHOLE, test=str(held)))

    assert len(dataset.train) == 10
    np.testing.assert_array_equal(dataset.test.x, [[0.5, 0, 1, 0, 1]])  # type: ignore[arg-type]
    assert dataset.test.y.tolist() == [1]


@pytest.mark.parametrize(
    ("strategy", "filling"), [("mean", 5.5), ("median", 5.5), ("most_frequent", 1.5)]
)
def test_what_is_missing_is_filled_from_the_rows_that_train(strategy: Any, filling: float) -> None:
    """The last row, which does not train, has no say; words become the commonest."""
    x = np.array([[1.5, 1, 0], [9.5, 0, 1], [np.nan, 0, 1], [5.5, np.nan, np.nan], [99, 1, 0]])
    known = preprocessing.fit(
        [Impute(strategy=strategy)], x, rows=np.arange(4), groups=[range(1, 3)]
    ).steps[0]

    np.testing.assert_array_equal(known.state["fill"], [filling, 0, 1])


def test_folds_fill_what_is_missing_from_rows_of_their_own(file: Path) -> None:
    dataset = datasets.load(spec(file, HOLES, prepare=(Impute(),)))
    x, some, others = np.asarray(dataset.train.x), np.arange(4), np.arange(4, 8)

    def filling(rows: Any) -> Any:
        groups = columns.groups(dataset.columns)
        return preprocessing.fit([Impute()], x, rows=rows, groups=groups).steps[0].state["fill"][0]

    assert filling(some) == np.nanmean(x[some, 0])
    assert filling(others) == np.nanmean(x[others, 0])
    assert filling(some) != filling(others)


BROKEN = {
    "empty": ("", "is empty; a table begins with its column names"),
    "only a header": ("a,kind\n", "holds no rows"),
    "two of a name": ("a,a,kind\n1,2,x\n", "has two columns 'a'"),
    "a short line": ("a,kind\n1,x\n2\n", "line 3 has 1 cells, but the header has 2"),
    "an open quote": ('a,kind\n"1,x\n', "is not CSV"),
    "no such target": ("a,b\n1,2\n", "has no column 'kind'"),
    "a hole": ("a,kind\n1,x\n,y\n", "things.csv:3: 'a' is missing, there and in 0 other rows"),
    "no label": ("a,kind\n1,x\n2,\n", "things.csv:3: 'kind', the target, is missing"),
    "a class of one": ("a,kind\n1,x\n2,y\n3,x\n4,x\n5,x\n6,x\n", "has a single row"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_told_with_its_place(case: str, file: Path) -> None:
    text, message = BROKEN[case]
    with pytest.raises(DataError, match=message):
        datasets.load(spec(file, text))


def test_what_is_no_text_is_refused(file: Path) -> None:
    file.write_bytes(b"a,kind\n\xff\xfe,x\n")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        datasets.load(spec(file))


def test_a_file_of_another_system_is_read(file: Path) -> None:
    """With a byte-order mark and carriage returns."""
    file.write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())

    assert datasets.load(spec(file)).features[0] == "size"


def test_a_word_that_only_the_test_file_has_is_told(file: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.csv"
    held.write_text("size,colour,alive,kind\n1,green,True,a\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"held.csv:2: 'colour' is 'green', which the training"):
        datasets.load(spec(file, WHOLE, test=str(held)))


@pytest.mark.parametrize("categories", ["one_hot", "codes"])
def test_rows_of_one_word_stay_together_in_folds(categories: Any, tmp_path: Path) -> None:
    """A column of words is named as the file names it, however it is coded; a gap is one group."""
    names = ["ann", "bob", "cid", "dan", ""]
    rows = "".join(f"{row},{names[row % 5]},{row * 2}\n" for row in range(60))
    (tmp_path / "t.csv").write_text(f"size,who,y\n{rows}", "utf-8")
    steps = (Impute(strategy="most_frequent"),)
    asked = Csv(
        name="csv", path=str(tmp_path / "t.csv"), target="y", categories=categories, prepare=steps
    )
    dataset = datasets.load(asked)
    who = np.asarray(dataset.train.x)[:, 1:]
    found = splits.folds(KFold(folds=5, groups="who"), dataset, seed=0)

    assert len(found) == 5
    for fold in found:
        held = {row.tobytes() for row in who[fold.validation]}
        assert len(held) == 1
        assert not held & {row.tobytes() for row in who[fold.train]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,y\n" + "1,x\n2,z\n" * 20 + "5,rare\n", "csv: class 'rare' has a single row"),
        ("a,y\n" + "1,2\n2,3\n" * 20 + "1e999,4\n", r"t.csv:42: 'a' is no finite number"),
    ],
)
def test_what_cannot_be_trained_on_is_named(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        datasets.load(spec(tmp_path / "t.csv", text, target="y"))
