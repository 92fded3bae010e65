"""`dataset.target` of tables and texts: the columns that are the label of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag

from nnrun.spec.component import Spec
from nnrun.spec.text import join_words, quote
from nnrun.types import Target

if TYPE_CHECKING:
    from nnrun.spec import tables
    from nnrun.types import Array

Task = Literal["classification", "regression", "labels"]
ColumnName = Annotated[str, Field(min_length=1)]


class LabelColumn(Spec):
    """A column whose cells hold any number of labels."""

    column: ColumnName
    """The column."""
    separator: Annotated[str, Field(min_length=1)]
    """Text between two labels of a cell, such as `;`; an empty cell has no labels."""

    def labels(self, cell: str) -> list[str]:
        """The labels in a cell.

        Example:
            >>> LabelColumn(column="tags", separator=";").labels("sport; ;music")
            ['sport', 'music']
        """
        return [label for part in cell.split(self.separator) if (label := part.strip())]


def _tag(value: object) -> str:
    if isinstance(value, dict | LabelColumn):
        return "(labels)"
    return "(columns)" if isinstance(value, list | tuple) else "(column)"


# Tags have parentheses, because a column can have any name.
Columns = Annotated[
    Annotated[ColumnName, Tag("(column)")]
    | Annotated[tuple[ColumnName, ...], Field(strict=False, min_length=1), Tag("(columns)")]
    | Annotated[LabelColumn, Tag("(labels)")],
    Discriminator(_tag),
]
INPUTS = "inputs"
"""The target of an autoencoder: the prepared input of each row."""
AnyColumns = str | tuple[str, ...] | LabelColumn


def names(target: AnyColumns) -> tuple[str, ...]:
    """The columns of a target; none if it is the inputs themselves."""
    if target == INPUTS:
        return ()
    if isinstance(target, LabelColumn):
        return (target.column,)
    return (target,) if isinstance(target, str) else target


def kinds(target: AnyColumns) -> dict[str, tables.Kind]:
    """The types of the columns of several labels or values."""
    if isinstance(target, LabelColumn):
        return {target.column: "category"}
    return {} if isinstance(target, str) else dict.fromkeys(target, "number")


def meaning(target: AnyColumns, table: tables.Table, task: Task | None = None) -> Target:
    """The meaning of a label, by the content of its columns.

    Several columns are labels if the spec says so, or if they hold only 0 and 1.

    Raises:
        KeyError: there is no such column.
        ValueError: the columns cannot be a label; with the reason.
    """
    if target == INPUTS:
        if INPUTS in table.columns:
            raise ValueError(
                f"{quote(INPUTS)} is a column, and target: inputs means the inputs themselves; "
                "rename the column"
            )
        return Target(INPUTS, "inputs")
    if isinstance(target, LabelColumn):
        cells = table.columns[target.column].categories or ()
        found = tuple(sorted({label for cell in cells for label in target.labels(cell)}))
        if not found:
            raise ValueError(f"{quote(target.column)}, the target, has no label in any row")
        return Target(target.column, "labels", found, (len(found),))
    if isinstance(target, str):
        if task == "labels":
            raise ValueError(
                f"task: labels needs several columns of 0 and 1, such as target: [{target}, …], or "
                f"a separator, such as target: {{column: {target}, separator: ';'}}"
            )
        column = table.columns[target]
        return Target.one_of(target, () if task == "regression" else column.categories or ())
    if task == "classification":
        listed = join_words([quote(name) for name in target], "and")
        raise ValueError(f"{listed} are not one class; leave task out, or write task: labels")
    binary = [name for name in target if _is_binary(_numbers(name, table))]
    if task == "labels" and len(binary) < len(target):
        wrong = next(name for name in target if name not in binary)
        raise ValueError(f"{quote(wrong)}, one of the labels, must be 0 or 1 in every row")
    is_labels = task != "regression" and len(binary) == len(target)
    return Target(
        ", ".join(target), "labels" if is_labels else "value", target, shape=(len(target),)
    )


def encode(target: AnyColumns, table: tables.Table, meaning: Target) -> Array:
    """The label of each row, as in the training file.

    Returns:
        Values, float64 of shape `(rows,)` or `(rows, columns)`; or labels, 0 and 1, uint8 of shape
        `(rows, labels)`.

    Raises:
        ValueError: a cell is no such label; with its place.
    """
    import numpy as np  # noqa: PLC0415 - the table has loaded it

    if target == INPUTS:
        return np.zeros((table.rows, 0), np.float32)
    if isinstance(target, LabelColumn):
        return _multi_hot(target, table, meaning)
    values = np.stack([_numbers(name, table) for name in names(target)], axis=1)
    if meaning.kind == "labels":
        wrong = np.argwhere((values != 0) & (values != 1))
        if len(wrong):
            row, column = wrong[0].tolist()
            name = quote(names(target)[column])
            raise ValueError(f"{name}, one of the labels, must be 0 or 1 on {table.place(row)}")
        return values.astype(np.uint8)
    return values.reshape(-1, *meaning.shape)


def _multi_hot(target: LabelColumn, table: tables.Table, meaning: Target) -> Array:
    import numpy as np  # noqa: PLC0415 - the table has loaded it

    column = table.columns[target.column]
    numbers = {str(name): number for number, name in enumerate(meaning.names)}
    cells = column.categories or ()
    # A row for each distinct cell, and one for empty cells.
    hot = np.zeros((len(cells) + 1, len(numbers)), np.uint8)
    codes = column.codes if column.codes is not None else np.full(table.rows, -1)
    for code, cell in enumerate(cells):
        for label in target.labels(cell):
            if label not in numbers:
                place = table.place(int((codes == code).argmax()))
                raise ValueError(f"{quote(label)} on {place} is no label of the training file")
            hot[code, numbers[label]] = 1
    return hot[codes]


def _is_binary(values: Array) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _numbers(name: str, table: tables.Table) -> Array:
    """The numbers of a column.

    Raises:
        ValueError: it does not hold numbers, or a row has none.
    """
    column = table.columns[name]
    values = column.numbers
    if values is None:
        reason = column.problem or "holds words, and must hold numbers"
        raise ValueError(f"{quote(name)}, the target, {reason}")
    if len(column.missing):
        place = table.place(int(column.missing[0]))
        raise ValueError(f"{quote(name)}, the target, has no value on {place}")
    return values
