"""Every fault of an experiment, in the order of its file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from nnrun.check import class_weights, labels, lint, reported, rows, stack, stages
from nnrun.check import own as own_data
from nnrun.check.callbacks import file_misfits, learning_rate_misfits, optimizer_misfits
from nnrun.check.subject import Subject, subject
from nnrun.errors import Fault, Misfit, SpecError
from nnrun.spec.finding import Finding
from nnrun.spec.loading import MOST_FAULTS, Loaded, foremost, load
from nnrun.spec.own import Own
from nnrun.spec.profile import check_steps
from nnrun.spec.steps import Vectorize


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
    about = subject(loaded.experiment)
    wrong = [*map(_finding, _misfits(about, own)), *reported.gate_findings(loaded.experiment)]
    # Half of the warnings would only repeat what is wrong in other words.
    findings = wrong or lint.findings(about)
    few = islice(findings, MOST_FAULTS + 1)
    return foremost([found.fault(loaded.root) for found in few], str(loaded.root.place.source))


def _finding(misfit: Misfit) -> Finding:
    return Finding(misfit.code, misfit.path, misfit.message)


def _misfits(about: Subject, own: Collection[str]) -> Iterator[Misfit]:
    spec, known = about.spec, about.known
    missing = [*own_data.misfits(spec.dataset)]
    yield from missing
    if missing:
        return
    yield from rows.split_misfits(spec, known)
    yield from _preparation(about)
    alone = [*stack.misfits(spec.model)]
    yield from alone
    if about.trace and not alone:
        yield from about.trace.misfits
        yield from _output(about)
    yield from file_misfits(spec.training.callbacks, own)
    yield from learning_rate_misfits(spec.training)
    yield from optimizer_misfits(spec.training)
    yield from reported.watched_misfits(spec)
    yield from _class_weights(about)
    yield from stages.misfits(spec)


def _class_weights(about: Subject) -> Iterator[Misfit]:
    weight, known = about.spec.training.class_weight, about.known
    # What the classes of a person's own rows are called is known once those are read.
    named = isinstance(about.spec.dataset, Own) and isinstance(weight, dict)
    if known.is_regression or not (known.open or named):
        yield from class_weights.misfits(weight, known.classes)


def _preparation(about: Subject) -> Iterator[Misfit]:
    spec, known = about.spec, about.known
    texts = known.kind == "texts"
    try:
        check_steps(spec.dataset.prepare, texts=texts)
        # Of rows that were chosen by length nobody knows which words are left.
        vectorized = any(isinstance(step, Vectorize) for step in spec.dataset.prepare)
        if texts and (known.train is not None or vectorized):
            rows.check_words(spec, known.highest)
    except Misfit as misfit:
        yield misfit


def _output(about: Subject) -> Iterator[Misfit]:
    assert about.trace
    if about.trace.shape is not None:
        yield from labels.output_misfits(about.known, about.spec, about.trace.shape)
        return
    units = labels.output_units(about.spec.model)
    if units is not None:
        yield from labels.misfits(about.known, about.spec, units)
