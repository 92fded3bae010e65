"""What should be known of the rows before the first epoch is paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from nnrun.errors import DataError, Misfit
from nnrun.records import Array, Dataset, Fold, Inputs, Sequences, Split
from nnrun.spec.dataset import MultiHot, Pad
from nnrun.spec.experiment import Experiment

# So many folds are named before it is only said that there are more.
FEW = 5
# A class with this share makes a model look good that has learnt nothing else.
DOMINANT = 0.9


def notices(dataset: Dataset, fold: Fold) -> list[str]:
    """What a person should know; nothing is changed.

    Args:
        dataset: as loaded.
        fold: which training rows train and which validate.
    """
    return [
        *_constant_columns(dataset, fold),
        *_dominant_class(dataset, fold),
        *_repeated_rows(dataset, fold),
    ]


def fold_notices(dataset: Dataset, folds: Sequence[Fold]) -> list[str]:
    """What a person should know of a cross-validation as a whole; nothing is changed.

    Args:
        dataset: as loaded.
        folds: of its training rows.
    """
    everything = np.arange(len(dataset.train))
    return [
        *_constant_columns(dataset, Fold(everything, everything[:0])),
        *_dominant_class(dataset, Fold(everything, everything[:0])),
        *_repeated_across(dataset, folds),
        *_unseen_classes(dataset, folds),
    ]


def check_numbers(dataset: Dataset) -> None:
    """Refuses rows that hold something else than numbers.

    Raises:
        DataError: an input or a label is NaN or infinite.
    """
    for split, name in ((dataset.train, "training"), (dataset.test, "test")):
        _check_numbers(split, f"{dataset.name}: the {name} rows")


def check_word_indices(dataset: Dataset, spec: Experiment) -> None:
    """Refuses words that `multi_hot` has no column for, or an `Embedding` no row.

    Raises:
        Misfit: with the place and what would fit.
    """
    texts = [x for x in (dataset.train.x, dataset.test.x) if isinstance(x, Sequences)]
    if not texts or not spec.dataset.prepare:
        return
    highest = max(int(x.values.max(initial=0)) for x in texts)
    step, layer = spec.dataset.prepare[0], spec.model[0]
    if isinstance(step, MultiHot) and highest >= step.dimension:
        path: tuple[str | int, ...] = ("dataset", "prepare", 0)
        raise Misfit("NN123", path, _too_small("multi_hot", step.dimension, highest))
    rows = layer.arguments.get("input_dim") if layer.name == "Embedding" else None
    if isinstance(step, Pad) and isinstance(rows, int) and max(highest, step.value) >= rows:
        raise Misfit("NN123", ("model", 0), _too_small("input_dim", rows, highest))


def _too_small(what: str, given: int, highest: int) -> str:
    return (
        f"{what} is {given}, but the words are numbered up to {highest}; "
        "raise it, or set dataset.num_words"
    )


def _check_numbers(split: Split, rows: str) -> None:
    for what, values in (("inputs", split.x), ("labels", split.y)):
        if isinstance(values, Sequences) or values.dtype.kind != "f":
            continue
        broken = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if broken.any():
            raise DataError(
                f"{rows} hold {what} that are not numbers, in {broken.sum():,} of "
                f"{len(values):,} rows; the first is row {int(broken.argmax())}"
            )


def _constant_columns(dataset: Dataset, fold: Fold) -> Iterator[str]:
    x = dataset.train.x
    # Pixels at the border of a picture are constant by nature.
    if isinstance(x, Sequences) or x.ndim != 2:
        return
    constant = np.flatnonzero(np.ptp(x[fold.train], axis=0) == 0)
    if len(constant):
        names = [dataset.features[i] if dataset.features else str(i) for i in constant]
        yield f"constant in all training rows, so of no use: {', '.join(names)}"


def _dominant_class(dataset: Dataset, fold: Fold) -> Iterator[str]:
    if not dataset.classes:
        return
    number, rows = Counter(dataset.train.y[fold.train].tolist()).most_common(1)[0]
    share = rows / len(fold.train)
    if share >= DOMINANT:
        name = dataset.classes[number]
        yield f"{share:.0%} of the training rows are of class {name}: so good is a constant answer"


def _repeated_rows(dataset: Dataset, fold: Fold) -> Iterator[str]:
    """Rows that a model is tested on after it has learnt them."""
    learnt = set(_fingerprints(dataset.train.x, fold.train))
    held_out = (
        ("validation", dataset.train.x, fold.validation),
        ("test", dataset.test.x, np.arange(len(dataset.test))),
    )
    for name, x, rows in held_out:
        repeated = _count(learnt, x, rows)
        if repeated:
            yield f"{repeated:,} of {len(rows):,} {name} rows are training rows too"


def _repeated_across(dataset: Dataset, folds: Sequence[Fold]) -> Iterator[str]:
    """Rows that validate a fold whose model has learnt the same row under another number."""
    all_rows = np.array([*_fingerprints(dataset.train.x, np.arange(len(dataset.train)))])
    repeated = sum(
        int(np.isin(all_rows[fold.validation], all_rows[fold.train]).sum()) for fold in folds
    )
    if repeated:
        rows = sum(len(fold.validation) for fold in folds)
        yield (
            f"{repeated:,} of {rows:,} rows that validate are among the rows that train their fold; "
            "`groups` keeps rows together"
        )


def _unseen_classes(dataset: Dataset, folds: Sequence[Fold]) -> Iterator[str]:
    """Classes that a fold is asked for and has never seen, as when the rows lie class by class."""
    if not dataset.classes:
        return
    y = dataset.train.y
    blind = [fold.number for fold in folds if not np.isin(y[fold.validation], y[fold.train]).all()]
    if blind:
        named = ", ".join(map(str, blind[:FEW])) + (", …" if len(blind) > FEW else "")
        yield f"validated on classes that are not among its training rows: fold {named}; use stratify"


def _count(learnt: set[int], x: Inputs, rows: Array) -> int:
    return sum(fingerprint in learnt for fingerprint in _fingerprints(x, rows))


def _fingerprints(x: Inputs, rows: Array) -> Iterator[int]:
    if isinstance(x, Sequences):
        return (hash(x.row(row).tobytes()) for row in rows)
    return (hash(x[row].tobytes()) for row in rows)
