"""Whether a data set has the rows that a spec asks for."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.errors import Misfit
from nnrun.spec.dataset import MultiHot, Pad
from nnrun.spec.experiment import Experiment
from nnrun.spec.profile import Profile
from nnrun.spec.validation import Holdout, KFold

HOLDOUT = ("validation", "holdout")
KFOLD = ("validation", "kfold")


def held_out(rule: Holdout, rows: int) -> int:
    """How many of some rows a rule holds out.

    Raises:
        Misfit: none, or all of them.
    """
    path = (*HOLDOUT, "size")
    held = rule.size if isinstance(rule.size, int) else round(rule.size * rows)
    if held >= rows:
        raise Misfit("NN120", path, f"must be less than the {rows} training rows, got {held}")
    if held < 1:
        raise Misfit("NN120", path, f"{rule.size} of {rows} training rows holds out none")
    return held


def check_folds(rule: KFold, rows: int) -> None:
    """Refuses more folds than there are rows.

    Raises:
        Misfit: with the place.
    """
    if rule.folds is not None and rule.folds > rows:
        message = f"must be at most the {rows} training rows, got {rule.folds}"
        raise Misfit("NN126", (*KFOLD, "folds"), message)


def check_stratified(*, classes: bool, kfold: bool) -> None:
    """Refuses proportions of classes where there are none.

    Raises:
        Misfit: with the place.
    """
    if not classes:
        code, path = ("NN126", KFOLD) if kfold else ("NN120", HOLDOUT)
        message = "stratify needs classes, but the labels are values"
        raise Misfit(code, (*path, "stratify"), message)


def split_misfits(spec: Experiment, known: Profile) -> Iterator[Misfit]:
    """What is wrong with the hold-out and the folds of a data set that is known."""
    holdout, kfold = spec.validation.holdout, spec.validation.kfold
    try:
        if holdout and holdout.stratify:
            check_stratified(classes=len(known.classes) > 0, kfold=False)
        if holdout and known.train is not None:
            held_out(holdout, known.train)
    except Misfit as misfit:
        yield misfit
    try:
        if kfold and kfold.stratify:
            check_stratified(classes=len(known.classes) > 0, kfold=True)
        if kfold and known.train is not None:
            check_folds(kfold, known.train)
    except Misfit as misfit:
        yield misfit


def check_words(spec: Experiment, highest: int) -> None:
    """Refuses words that `multi_hot` has no column for, or an `Embedding` no row.

    Args:
        highest: the largest index of a word in the rows.

    Raises:
        Misfit: with the place and what would fit.
    """
    if not spec.dataset.prepare:
        return
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


def trained_on(spec: Experiment, known: Profile) -> int | None:
    """The fewest rows that a model of the spec is trained on, as far as that is known."""
    rows, holdout, kfold = known.train, spec.validation.holdout, spec.validation.kfold
    if rows is None:
        return None
    left = [rows]
    if holdout:
        left.append(rows - held_out(holdout, rows))
    if kfold and kfold.folds and not kfold.time_series:
        left.append(rows - -(-rows // kfold.folds))
    return min(left)
