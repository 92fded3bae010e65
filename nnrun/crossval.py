"""Which rows train and which validate. Trains nothing."""

from __future__ import annotations

import numpy as np

from nnrun.errors import Misfit
from nnrun.records import Array, Fold
from nnrun.spec.validation import Holdout, Validation

_PATH = ("validation", "holdout", "size")


def holdout(validation: Validation, y: Array, *, seed: int) -> Fold:
    """One fold: the rows held out validate, the others train.

    Args:
        validation: the spec's.
        y: labels of all training rows.
        seed: for `take: random`.

    Raises:
        Misfit: nothing would be left to train on, or nothing to validate on.
    """
    everything = np.arange(len(y))
    rule = validation.holdout
    if rule is None:
        return Fold(everything, everything[:0])
    held = _size(rule, len(y))
    if rule.take == "first":
        return Fold(everything[held:], everything[:held])
    if rule.take == "last":
        return Fold(everything[:-held], everything[-held:])
    if rule.stratify and y.dtype.kind == "f":
        path = ("validation", "holdout", "stratify")
        raise Misfit("NN120", path, "stratify needs classes, but the labels are values")
    if rule.stratify:
        return _stratified(y, held, seed)
    shuffled = np.random.default_rng(seed).permutation(len(y))
    return Fold(np.sort(shuffled[held:]), np.sort(shuffled[:held]))


def _size(rule: Holdout, rows: int) -> int:
    held = rule.size if isinstance(rule.size, int) else round(rule.size * rows)
    if held >= rows:
        raise Misfit("NN120", _PATH, f"must be less than the {rows} training rows, got {held}")
    if held < 1:
        raise Misfit("NN120", _PATH, f"{rule.size} of {rows} training rows holds out none")
    return held


def _stratified(y: Array, held: int, seed: int) -> Fold:
    # scikit-learn takes a second to load, and only this rule needs it.
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    try:
        train, validation = train_test_split(
            np.arange(len(y)), test_size=held, random_state=seed, stratify=y
        )
    except ValueError as error:
        message = f"the rows cannot be held out in proportion to the classes: {error}"
        raise Misfit("NN120", ("validation", "holdout", "stratify"), message) from error
    return Fold(np.sort(train), np.sort(validation))
