"""Checks of the rows before training: errors, and notices about what makes results misleading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from nnrun.check.context import check_codes, check_words
from nnrun.data import columns as coding
from nnrun.errors import DataError
from nnrun.spec.experiment import Experiment
from nnrun.spec.profile import LARGEST_PIXEL
from nnrun.spec.text import quote
from nnrun.spec.tree import Problem
from nnrun.types import (
    Array,
    Dataset,
    Fold,
    Input,
    Inputs,
    NamedInputs,
    Sequences,
    Streamed,
    Windows,
)

MAX_NAMES = 5  # folds or classes that a notice lists
DARKEST = 25  # brightest pixel at which images are as good as black
DOMINANT = 0.9  # share of a class at which a constant prediction looks good


def notices(dataset: Dataset, fold: Fold) -> list[Problem]:
    """Notices about a dataset with one hold-out split."""
    return [
        *_input_notices(dataset, fold.train),
        *_dominant_class(dataset, fold.train),
        *_classes_without_rows(dataset),
        *_repeated_rows(dataset, fold),
        *_unseen_in_holdout(dataset, fold),
    ]


def fold_notices(dataset: Dataset, folds: Sequence[Fold]) -> list[Problem]:
    """Notices about a cross-validation as a whole."""
    everything = np.arange(len(dataset.train))
    return [
        *_input_notices(dataset, everything),
        *_dominant_class(dataset, everything),
        *_classes_without_rows(dataset),
        *_repeated_across(dataset, folds),
        *_unseen_classes(dataset, folds),
    ]


def _input_notices(dataset: Dataset, rows: Array) -> Iterator[Problem]:
    for view in dataset.views.values():
        yield from _constant_columns(view, rows)
        yield from _dark_images(view, rows)
        yield from _unknown_categories(view)
        yield from _empty_texts(view)


def check_numbers(dataset: Dataset, *, missing: bool = False) -> None:
    """Checks that inputs and labels are finite; `missing` inputs may be NaN if a step fills them.

    Raises:
        DataError: with the first row.
    """
    for split, name in ((dataset.train, "training"), (dataset.test, "test")):
        for kind, values in (("inputs", split.single), ("labels", split.y)):
            values = values.table if isinstance(values, Windows) else values
            if isinstance(values, Sequences | Streamed) or values.dtype.kind != "f":
                continue
            values = np.nan_to_num(values, nan=0.0) if missing and kind == "inputs" else values
            broken = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
            if broken.any():
                raise DataError(
                    f"{dataset.name}: the {name} rows hold {kind} that are not numbers, in "
                    f"{broken.sum():,} of {len(values):,} rows; the first is row "
                    f"{int(broken.argmax())}"
                )


def check_word_indices(dataset: Dataset, spec: Experiment) -> None:
    """Checks that `multi_hot` has a column, or an `Embedding` a row, for each word.

    Raises:
        IncompatibleSpec: with the place.
    """
    highest = highest_index(dataset)
    if isinstance(dataset.train.single, Sequences) and highest is not None:
        check_words(spec, highest)
    else:
        check_codes(spec, -1 if highest is None else highest)


def highest_index(dataset: Dataset) -> int | None:
    """The largest word index or code in the rows of an input; None if it holds neither."""
    both = (dataset.train.single, dataset.test.single)
    if texts := [x for x in both if isinstance(x, Sequences)]:
        return max(int(x.values.max(initial=0)) for x in texts)
    codes = [len(c.categories or ()) + c.first for c in dataset.columns if c.first is not None]
    return max(codes) - 1 if codes else None


def _constant_columns(dataset: Dataset, rows: Array) -> Iterator[Problem]:
    x, spanned = _table(dataset.train.single, rows)
    # Border pixels of images are often constant.
    if isinstance(x, Sequences | Streamed) or x.ndim != 2:
        return
    constant = np.flatnonzero(np.ptp(x[spanned], axis=0) == 0)
    if len(constant):
        names = [dataset.features[i] if dataset.features else str(i) for i in constant]
        yield _notice("NN222", f"constant in all training rows: {', '.join(names)}")


def _table(x: Input, rows: Array) -> tuple[Array | Sequences | Streamed, slice | Array]:
    """The rows of a table that some windows hold; other rows stay as they are."""
    return (x.table, x.spanned(rows)) if isinstance(x, Windows) else (x, rows)


def _dark_images(dataset: Dataset, rows: Array) -> Iterator[Problem]:
    """Images such as depth of 16 bits, of which few values are left."""
    x = dataset.train.single
    if dataset.highest != LARGEST_PIXEL or isinstance(x, Sequences | Streamed | Windows):
        return
    brightest = int(x[rows].max(initial=0))
    if brightest <= DARKEST:
        message = f"the brightest pixel of all training images is {brightest} of 255"
        yield _notice("NN231", f"{message}; images of 16 bits are divided by 257")


def _empty_texts(dataset: Dataset) -> Iterator[Problem]:
    x = dataset.train.single
    empty = int((x.lengths() == 0).sum()) if isinstance(x, Sequences) else 0
    if empty:
        yield _notice("NN241", f"{empty:,} of {len(x):,} training texts have no word")


def _classes_without_rows(dataset: Dataset) -> Iterator[Problem]:
    """Classes that no row has, such as 0 if labels are numbered from 1."""
    if not dataset.classes:
        return
    present = {*np.unique(dataset.train.y).tolist(), *np.unique(dataset.test.y).tolist()}
    absent = [name for number, name in enumerate(dataset.classes) if number not in present]
    if absent:
        hint = "; classes are numbered from 0, so subtract 1" if absent[0] == "0" else ""
        yield _notice("NN240", f"no row is of class {_listed(absent)}{hint}")


def _dominant_class(dataset: Dataset, rows: Array) -> Iterator[Problem]:
    if not dataset.classes:
        return
    number, count = Counter(dataset.train.y[rows].tolist()).most_common(1)[0]
    share = count / len(rows)
    if share >= DOMINANT:
        name = dataset.classes[number]
        message = f"{share:.0%} of the training rows are of class {name}: predicting it always is as accurate"
        yield _notice("NN223", message)


def _repeated_rows(dataset: Dataset, fold: Fold) -> Iterator[Problem]:
    """Validation and test rows that are training rows, too."""
    trained = set(_fingerprints(dataset.train.x, fold.train))
    for name, x, rows in (
        ("validation", dataset.train.x, fold.validation),
        ("test", dataset.test.x, np.arange(len(dataset.test))),
    ):
        repeated = sum(fingerprint in trained for fingerprint in _fingerprints(x, rows))
        if repeated:
            message = f"{repeated:,} of {len(rows):,} {name} rows are training rows too"
            yield _notice("NN221", message)


def _unknown_categories(dataset: Dataset) -> Iterator[Problem]:
    """Validation and test rows with a category that the training file does not hold."""
    if not dataset.columns or any(column.first is not None for column in dataset.columns):
        return
    train, test, held_out = dataset.train, dataset.test, dataset.train.held_out
    numbers = np.arange(0) if held_out is None else np.flatnonzero(held_out)
    for kind, split, rows in (
        ("validation", train, numbers),
        ("test", test, np.arange(len(test))),
    ):
        table, chosen = _table(split.single, rows)
        x = np.asarray(table)[chosen]
        for columns in coding.groups(dataset.columns):
            unknown = (x[:, columns.start : columns.stop] == 0).all(axis=1)
            if unknown.any():
                name = dataset.features[columns.start].partition("=")[0]
                message = (
                    f"{unknown.sum():,} of {len(x):,} {kind} rows have values of {quote(name)}"
                )
                yield _notice("NN237", f"{message} that the training file does not hold")


def _repeated_across(dataset: Dataset, folds: Sequence[Fold]) -> Iterator[Problem]:
    """Validation rows of a fold that equal one of its training rows."""
    if isinstance(dataset.train.x, Streamed | Windows):
        return
    all_rows = np.array(_fingerprints(dataset.train.x, np.arange(len(dataset.train))))
    repeated = sum(
        int(np.isin(all_rows[fold.validation], all_rows[fold.train]).sum()) for fold in folds
    )
    if repeated:
        rows = sum(len(fold.validation) for fold in folds)
        yield _notice(
            "NN221",
            f"{repeated:,} of {rows:,} validation rows are training rows of the same fold, too; "
            "`groups` keeps rows together",
        )


def _unseen_in_holdout(dataset: Dataset, fold: Fold) -> Iterator[Problem]:
    """Classes without training rows, for example if rows are sorted by class."""
    if not dataset.classes or fold.number:
        return
    y = dataset.train.y
    unseen = np.setdiff1d(y[fold.validation], y[fold.train])
    if len(unseen):
        names = _listed([dataset.classes[index] for index in unseen])
        message = f"validation rows have classes without training rows: {names}"
        yield _notice("NN206", f"{message}; use take: random and stratify: true")


def _unseen_classes(dataset: Dataset, folds: Sequence[Fold]) -> Iterator[Problem]:
    """Folds with a class without training rows, for example if rows are sorted by class."""
    if not dataset.classes:
        return
    y = dataset.train.y
    blind = [fold.number for fold in folds if not np.isin(y[fold.validation], y[fold.train]).all()]
    if blind:
        numbers = _listed([*map(str, blind)])
        message = f"validation rows have classes without training rows: fold {numbers}"
        yield _notice("NN206", f"{message}; use stratify")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMES]) + (", …" if len(names) > MAX_NAMES else "")


def _fingerprints(x: Inputs, rows: Array) -> list[int]:
    if isinstance(x, Streamed | Windows):
        # Reading all of them again takes as long as an epoch; windows overlap in any case.
        return []
    if isinstance(x, NamedInputs):
        parts = (_fingerprints(part, rows) for part in x.parts.values())
        return [hash(row) for row in zip(*parts, strict=True)]
    return [hash((x.row(row) if isinstance(x, Sequences) else x[row]).tobytes()) for row in rows]


def _notice(code: str, message: str) -> Problem:
    return Problem(code, ("dataset",), message)
