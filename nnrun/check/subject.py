"""An experiment with what is known of its rows and of its model before there is either."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from nnrun.check.shapes import Row, Trace, trace
from nnrun.errors import IncompatibleSpec
from nnrun.spec.dataset import Embedded
from nnrun.spec.experiment import Experiment
from nnrun.spec.prepare import prepared_dtype
from nnrun.spec.profile import Profile
from nnrun.spec.validation import Holdout, KFold


@dataclass(frozen=True)
class SpecContext:
    """An experiment as it is looked at.

    Args:
        known: of its data set.
        row: what the model gets to see; None where the steps do not fit the data.
        trace: the shapes of its layers; None likewise.
    """

    spec: Experiment
    known: Profile
    row: Row | None
    trace: Trace | None

    @property
    def units(self) -> int | None:
        """Width of the model's output, as far as it is known."""
        shape = self.trace.shape if self.trace else None
        return shape[0] if shape and len(shape) == 1 else None


def spec_context(spec: Experiment) -> SpecContext:
    """Looks up what is known of an experiment."""
    known, steps = spec.dataset.profile(), spec.dataset.prepare
    if known.open:
        return SpecContext(spec, known, None, None)
    try:
        shape = known.shape_after(steps)
    except IncompatibleSpec:
        return SpecContext(spec, known, None, None)
    row = Row(shape or (), prepared_dtype(steps))
    return SpecContext(spec, known, row, trace(spec.model, row))


# Whether a data set has the rows that a spec asks for.

HOLDOUT = ("validation", "holdout")
KFOLD = ("validation", "kfold")


def held_out(rule: Holdout, rows: int) -> int:
    """How many of some rows a rule holds out.

    Raises:
        IncompatibleSpec: none, or all of them.
    """
    path = (*HOLDOUT, "size")
    held = rule.size if isinstance(rule.size, int) else round(rule.size * rows)
    if held >= rows:
        raise IncompatibleSpec(
            "NN120", path, f"must be less than the {rows} training rows, got {held}"
        )
    if held < 1:
        raise IncompatibleSpec("NN120", path, f"{rule.size} of {rows} training rows holds out none")
    return held


def check_folds(rule: KFold, rows: int) -> None:
    """Refuses more folds than there are rows.

    Raises:
        IncompatibleSpec: with the place.
    """
    if rule.folds is not None and rule.folds > rows:
        message = f"must be at most the {rows} training rows, got {rule.folds}"
        raise IncompatibleSpec("NN126", (*KFOLD, "folds"), message)


def check_stratified(*, classes: bool, kfold: bool) -> None:
    """Refuses proportions of classes where there are none.

    Raises:
        IncompatibleSpec: with the place.
    """
    if not classes:
        code, path = ("NN126", KFOLD) if kfold else ("NN120", HOLDOUT)
        message = "stratify needs classes, but the labels are values"
        raise IncompatibleSpec(code, (*path, "stratify"), message)


def split_problems(spec: Experiment, known: Profile) -> Iterator[IncompatibleSpec]:
    """What is wrong with the hold-out and the folds of a data set that is known."""
    if problem := _divided_misfit(spec, known):
        yield problem
        return
    holdout, kfold = spec.validation.holdout, spec.validation.kfold
    try:
        if holdout and holdout.stratify:
            check_stratified(classes=not known.is_regression, kfold=False)
        if holdout and known.train is not None:
            _check_proportions(holdout, known, held_out(holdout, known.train))
    except IncompatibleSpec as problem:
        yield problem
    try:
        if kfold and kfold.stratify:
            check_stratified(classes=not known.is_regression, kfold=True)
        if kfold and known.train is not None:
            check_folds(kfold, known.train)
    except IncompatibleSpec as problem:
        yield problem


def _divided_misfit(spec: Experiment, known: Profile) -> IncompatibleSpec | None:
    """A `test_split` that leaves too few rows on one side."""
    share = getattr(spec.dataset, "test_split", None)
    if share is None or known.train is None or known.test is None:
        return None
    # The embedded sets are divided in proportion to the classes.
    least = max(1, len(known.classes) if isinstance(spec.dataset, Embedded) else 1)
    few, purpose = min((known.train, "train"), (known.test, "test"))
    if few >= least:
        return None
    classes = f" for {least} classes" if least > 1 else ""
    message = f"{share} leaves {max(few, 0)} rows to {purpose} on{classes}"
    return IncompatibleSpec("NN120", ("dataset", "test_split"), message)


def _check_proportions(rule: Holdout, known: Profile, held: int) -> None:
    """Refuses fewer rows than classes on either side, where each has its share.

    Raises:
        IncompatibleSpec: with the place.
    """
    assert known.train is not None
    few, classes = min(held, known.train - held), len(known.classes)
    if rule.stratify and few < classes:
        message = f"cannot keep the proportions of {classes} classes in {few} rows"
        raise IncompatibleSpec("NN120", (*HOLDOUT, "stratify"), message)


def check_words(spec: Experiment, highest: int) -> None:
    """Refuses words that `multi_hot` has no column for, or an `Embedding` no row.

    Args:
        highest: the largest index of a word in the rows.

    Raises:
        IncompatibleSpec: with the place and what would fit.
    """
    if not spec.dataset.prepare:
        return
    step, layer = spec.dataset.prepare[0], spec.model[0]
    limit = "vectorize.max_tokens" if step.renumbers_words else "dataset.num_words"
    if not step.accepts_word(highest):
        columns = math.prod(step.shape_after(()))
        message = f"{step.step} is {columns}, but word indices go up to {highest}"
        path: tuple[str | int, ...] = ("dataset", "prepare", 0)
        raise IncompatibleSpec("NN123", path, f"{message}; raise it, or set {limit}")
    needed = step.embedding_rows(highest)
    rows = layer.arguments.get("input_dim") if layer.name == "Embedding" else None
    if needed is not None and isinstance(rows, int) and rows < needed:
        message = f"input_dim is {rows}, but word indices go up to {needed - 1}"
        raise IncompatibleSpec("NN123", ("model", 0), f"{message}; raise it, or set {limit}")


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
