"""All errors and warnings of an experiment, in the order of its file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from nnrun.check import lint, model, training
from nnrun.check.context import (
    SpecContext,
    check_codes,
    check_memory,
    check_words,
    embedding_problems,
    spec_context,
    split_problems,
)
from nnrun.check.user_data import user_data_problems
from nnrun.errors import Fault, IncompatibleSpec, SpecError
from nnrun.spec import labels
from nnrun.spec.dataset import UserData
from nnrun.spec.loading import MOST_FAULTS, Loaded, first_faults, load
from nnrun.spec.prepare import check_steps
from nnrun.spec.tree import Problem


def read(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    gates: Sequence[str] = (),
    own: Collection[str] = (),
) -> Loaded:
    """Reads a spec and checks it, without TensorFlow.

    Args:
        path: as the user gave it.
        overrides: such as `training.epochs=3`, applied in order.
        gates: overrides of `expect`, as `--expect` gives them.
        own: file names that nnrun itself uses in a run folder.

    Raises:
        SpecError: with all errors.
    """
    loaded = load(path, overrides=overrides, gates=gates)
    errors = tuple(fault for fault in faults(loaded, own=own) if not fault.is_warning)
    if errors:
        raise SpecError(errors)
    return loaded


def faults(loaded: Loaded, *, own: Collection[str] = ()) -> tuple[Fault, ...]:
    """The errors of an experiment, or the warnings if it has no errors.

    Args:
        loaded: without errors in single values.
        own: file names that nnrun itself uses in a run folder.
    """
    context = spec_context(loaded.experiment)
    problems = [
        *(Problem(error.code, error.path, error.message) for error in _errors(context, own)),
        *training.gate_problems(loaded.experiment),
    ]
    # Half of the warnings would only repeat an error.
    first = islice(problems or lint.findings(context), MOST_FAULTS + 1)
    source = str(loaded.root.place.source)
    return first_faults([problem.fault(loaded.root) for problem in first], source)


def _errors(context: SpecContext, own: Collection[str]) -> Iterator[IncompatibleSpec]:
    spec = context.spec
    if missing := [*user_data_problems(spec.dataset)]:
        yield from missing
        return
    yield from split_problems(spec, context.profile)
    yield from _prepare_errors(context)
    layers = [*model.model_problems(spec.model)]
    yield from layers
    if context.trace and not layers:
        yield from context.trace.problems
        yield from _output_errors(context)
    yield from training.file_problems(spec.training.callbacks, own)
    yield from training.package_problems(spec.training.callbacks)
    yield from training.optimizer_problems(spec.training)
    yield from training.monitor_problems(spec)
    yield from _class_errors(context)
    yield from model.freeze_problems(spec)


def _prepare_errors(context: SpecContext) -> Iterator[IncompatibleSpec]:
    steps, profile = context.spec.dataset.prepare, context.profile
    texts = profile.kind == "texts"
    try:
        check_steps(steps, texts=texts)
        # The words in rows that are chosen by length are unknown.
        if texts and (profile.train is not None or any(step.renumbers_words for step in steps)):
            check_words(context.spec, profile.highest)
        if not profile.open:
            check_codes(context.spec, profile.highest)
        if profile.train is not None and context.input_shape is not None:
            check_memory(context.spec, profile.train, context.input_shape)
    except IncompatibleSpec as problem:
        yield problem
    yield from embedding_problems(context.spec, profile.numbers)


def _output_errors(context: SpecContext) -> Iterator[IncompatibleSpec]:
    shape = context.trace.shape if context.trace else None
    units = labels.output_units(context.spec.model)
    if shape is not None:
        yield from labels.output_problems(context.profile, context.spec, shape)
    elif units is not None:
        yield from labels.label_problems(context.profile, context.spec, units)


def _class_errors(context: SpecContext) -> Iterator[IncompatibleSpec]:
    dataset, profile = context.spec.dataset, context.profile
    weight, classes = context.spec.training.class_weight, profile.names or profile.classes
    # The names of classes in some user data are unknown before the rows are read.
    unnamed = isinstance(dataset, UserData) and bool(classes) and not profile.names
    if profile.open or unnamed:
        return
    yield from training.class_weight_problems(weight, classes)
    yield from training.positive_problems(dataset.positive_class, classes)
