"""The columns of a table that are the label of a row."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from nnrun.spec import targets
from nnrun.spec.csv_format import CsvFormat
from nnrun.spec.tables import Table, read_csv
from nnrun.types import Target

ROWS = """\
a,news,sport,good,price,rent,genres
1,0,1,True,2.5,10,drama; comedy
2,1,1,False,3.5,20,
3,0,0,True,4.5,30, comedy ;;
"""
GENRES = {"column": "genres", "separator": ";"}


def parse(target: Any) -> targets.AnyColumns:
    parsed: targets.AnyColumns = TypeAdapter(targets.Columns).validate_python(target)
    return parsed


def table(folder: Path, rows: str = ROWS, target: Any = "a") -> Table:
    (folder / "t.csv").write_text(rows)
    return read_csv(folder / "t.csv", CsvFormat(), kinds=targets.kinds(parse(target)))


@pytest.mark.parametrize(
    ("target", "task", "meaning", "y"),
    [
        ("price", None, Target("price"), [2.5, 3.5, 4.5]),
        (["price", "rent"], None, Target("price, rent", "value", ("price", "rent"), (2,)),
         [[2.5, 10], [3.5, 20], [4.5, 30]]),
        (["news", "sport"], None, Target("news, sport", "labels", ("news", "sport"), (2,)),
         [[0, 1], [1, 1], [0, 0]]),
        (["news", "good"], "labels", Target("news, good", "labels", ("news", "good"), (2,)),
         [[0, 1], [1, 0], [0, 1]]),
        (["news", "sport"], "regression", Target("news, sport", "value", ("news", "sport"), (2,)),
         [[0, 1], [1, 1], [0, 0]]),
        (["news"], None, Target("news", "labels", ("news",), (1,)), [[0], [1], [0]]),
        (GENRES, None, Target("genres", "labels", ("comedy", "drama"), (2,)),
         [[1, 1], [0, 0], [1, 0]]),
    ],
)  # fmt: skip
def test_columns_mean_values_or_labels_by_their_content(tmp_path, target, task, meaning, y):
    """Columns of 0 and 1 are labels, unless the task says otherwise; an empty cell has none."""
    content = table(tmp_path, target=target)
    found = targets.meaning(parse(target), content, task)
    encoded = targets.encode(parse(target), content, found)

    assert found == meaning
    assert encoded.tolist() == y
    assert encoded.dtype == ("uint8" if meaning.kind == "labels" else "float64")


@pytest.mark.parametrize(
    ("target", "task", "message"),
    [
        (["news", "price"], "labels", "'price', one of the labels, must be 0 or 1 in every row"),
        (["news", "sport"], "classification", "'news' and 'sport' are not one class; leave task "
         "out, or write task: labels"),
        (["price", "genres"], None, "'genres' is 'drama; comedy' on line 2, and must be a number"),
        ("news", "labels", "task: labels needs several columns of 0 and 1, such as target: "
         "[news, …], or a separator, such as target: {column: news, separator: ';'}"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_a_label_are_refused(tmp_path, target, task, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        targets.meaning(parse(target), table(tmp_path, target=target), task)


@pytest.mark.parametrize(
    ("target", "rows", "message"),
    [
        (GENRES, "genres\ncomedy\nhorror; comedy\n", "'horror' on line 3 is no label of the "
         "training file"),
        (["news", "sport"], "news,sport\n0,1\n1,2\n", "'sport', one of the labels, must be 0 or 1 "
         "on line 3"),
        (["price", "rent"], "price,rent\n1,2\n,3\n", "'price', the target, has no value on line 3"),
    ],
)  # fmt: skip
def test_rows_of_another_file_have_the_same_labels(tmp_path, target, rows, message):
    meaning = targets.meaning(parse(target), table(tmp_path, target=target))
    other = table(tmp_path, rows, target)
    with pytest.raises(ValueError, match=re.escape(message)):
        targets.encode(parse(target), other, meaning)
