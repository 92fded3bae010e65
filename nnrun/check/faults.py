"""Every fault of an experiment, in the order of its file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from nnrun.check import lint
from nnrun.check import model
from nnrun.check import training
from nnrun.check import user_data as own_data
from nnrun.check.subject import SpecContext
from nnrun.check.subject import check_words
from nnrun.check.subject import spec_context
from nnrun.check.subject import split_problems
from nnrun.check.training import file_problems
from nnrun.check.training import learning_rate_problems
from nnrun.check.training import optimizer_problems
from nnrun.errors import Fault
from nnrun.errors import IncompatibleSpec
from nnrun.errors import SpecError
from nnrun.spec import labels
from nnrun.spec.dataset import UserData
from nnrun.spec.loading import MOST_FAULTS
from nnrun.spec.loading import Loaded
from nnrun.spec.loading import first_faults
from nnrun.spec.loading import load
from nnrun.spec.prepare import check_steps
from nnrun.spec.tree import Problem


def read(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    gates: Sequence[str] = (),
    own: Collection[str] = (),
) -> Loaded:
    """Reads a spec and refuses all that is sure to fail, before anything heavy is loaded.

    Args:
        path: the file, as the person named it.
        overrides: such as `training.epochs=3`, applied in order.
        gates: overrides of `expect`, as `--expect` gives them.
        own: names that nnrun keeps for itself in a run folder.

    Raises:
        SpecError: with all that is wrong.
    """
    loaded = load(path, overrides=overrides, gates=gates)
    found = tuple(fault for fault in faults(loaded, own=own) if not fault.is_warning)
    if found:
        raise SpecError(found)
    return loaded


def faults(loaded: Loaded, *, own: Collection[str] = ()) -> tuple[Fault, ...]:
    """What is wrong with an experiment, and warnings, each with its place.

    Args:
        loaded: free of faults in single values.
        own: names that nnrun keeps for itself in a run folder.
    """
    about = spec_context(loaded.experiment)
    wrong = [*map(_finding, _misfits(about, own)), *training.gate_findings(loaded.experiment)]
    # Half of the warnings would only repeat what is wrong in other words.
    findings = wrong or lint.findings(about)
    few = islice(findings, MOST_FAULTS + 1)
    return first_faults([found.fault(loaded.root) for found in few], str(loaded.root.place.source))


def _finding(problem: IncompatibleSpec) -> Problem:
    return Problem(problem.code, problem.path, problem.message)


def _misfits(about: SpecContext, own: Collection[str]) -> Iterator[IncompatibleSpec]:
    spec, known = about.spec, about.known
    missing = [*own_data.user_data_problems(spec.dataset)]
    yield from missing
    if missing:
        return
    yield from split_problems(spec, known)
    yield from _preparation(about)
    alone = [*model.model_problems(spec.model)]
    yield from alone
    if about.trace and not alone:
        yield from about.trace.problems
        yield from _output(about)
    yield from file_problems(spec.training.callbacks, own)
    yield from learning_rate_problems(spec.training)
    yield from optimizer_problems(spec.training)
    yield from training.watched_problems(spec)
    yield from _class_weights(about)
    yield from model.stage_problems(spec)


def _class_weights(about: SpecContext) -> Iterator[IncompatibleSpec]:
    weight, known = about.spec.training.class_weight, about.known
    # What the classes of a person's own rows are called is known once those are read.
    named = isinstance(about.spec.dataset, UserData) and isinstance(weight, dict)
    if known.is_regression or not (known.open or named):
        yield from training.class_weight_problems(weight, known.classes)


def _preparation(about: SpecContext) -> Iterator[IncompatibleSpec]:
    spec, known = about.spec, about.known
    texts = known.kind == "texts"
    try:
        check_steps(spec.dataset.prepare, texts=texts)
        # Of rows that were chosen by length nobody knows which words are left.
        vectorized = any(step.renumbers_words for step in spec.dataset.prepare)
        if texts and (known.train is not None or vectorized):
            check_words(spec, known.highest)
    except IncompatibleSpec as problem:
        yield problem


def _output(about: SpecContext) -> Iterator[IncompatibleSpec]:
    assert about.trace
    if about.trace.shape is not None:
        yield from labels.output_problems(about.known, about.spec, about.trace.shape)
        return
    units = labels.output_units(about.spec.model)
    if units is not None:
        yield from labels.label_problems(about.known, about.spec, units)
