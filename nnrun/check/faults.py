"""All errors and warnings of an experiment, and the layers that a stack cannot have."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from nnrun.check import lint, training
from nnrun.check.context import (
    SpecContext,
    check_codes,
    check_memory,
    check_words,
    embedding_problems,
    input_dim_problems,
    spec_context,
    split_problems,
)
from nnrun.check.graph import graph_problems
from nnrun.check.shapes import Trace
from nnrun.check.user_data import user_data_problems
from nnrun.errors import Fault, IncompatibleSpec, SpecError
from nnrun.spec import component, graph, labels
from nnrun.spec.component import Component
from nnrun.spec.dataset import UserData, Words
from nnrun.spec.experiment import Experiment
from nnrun.spec.loading import MOST_FAULTS, Loaded, first_faults, load, use_names
from nnrun.spec.prepare import check_steps
from nnrun.spec.suggest import known_names
from nnrun.spec.text import join_words, quote
from nnrun.spec.tree import KeyPath, Problem

SEVERAL_INPUTS = frozenset((*map(str.capitalize, component.MERGES), "HashedCrossing"))
CELLS = frozenset("LSTMCell GRUCell SimpleRNNCell StackedRNNCells".split())
NOT_STACKABLE = {
    **dict.fromkeys(SEVERAL_INPUTS, "takes several inputs, and a stack has one"),
    **{
        name.capitalize(): f"takes several inputs; write Branches: {{paths: […], merge: {name}}}"
        for name in component.MERGES
    },
    **dict.fromkeys(CELLS, "is one step of a recurrent layer; use it as the cell of an RNN"),
    **dict.fromkeys(
        ("StringLookup", "TextVectorization"),
        "takes texts, but the input of a stack is numbers",
    ),
    "Equalization": "would be left out of the model by Keras without a warning",
    "MaxNumBoundingBoxes": "takes boxes by name, and a row is one array",
}
"""Layers that cannot be part of a stack, and why."""
_OF_STACKS = frozenset((*component.COMPOSITES, *component.SOURCES, component.APPLICATION))
RECURRENT = frozenset("LSTM GRU SimpleRNN RNN ConvLSTM1D ConvLSTM2D ConvLSTM3D".split())


def model_problems(
    model: Sequence[Component], inputs: Sequence[str] = ()
) -> Iterator[IncompatibleSpec]:
    """Layers that need several inputs or have several outputs, and faults of names.

    Args:
        inputs: the names of several inputs of the data.
    """
    refused = [*_stack_problems([*model], ("model",))]
    yield from refused
    if not refused:
        yield from graph_problems(model, inputs)


def _stack_problems(stack: object, path: KeyPath) -> Iterator[IncompatibleSpec]:
    """Problems of layers in a stack and in the stacks inside them."""
    for at, layer in graph.positions(stack, path):
        if reason := _refusal(layer):
            yield IncompatibleSpec("NN124", at, f"{layer.name} {reason}")
        for inner, layers in component.inner_stacks(layer.name, layer.arguments):
            yield from _stack_problems(layers, (*at, layer.name, *inner))
        for key, inner_layer in graph.wrapped(layer):
            if inner_layer.name in _OF_STACKS or "shared" in inner_layer.arguments:
                what = inner_layer.name if inner_layer.name in _OF_STACKS else "a shared layer"
                message = f"{what} cannot be inside {layer.name}, which takes one layer of Keras"
                yield IncompatibleSpec("NN124", (*at, layer.name, key), message)


def _refusal(layer: Component) -> str | None:
    if layer.name not in RECURRENT:
        return NOT_STACKABLE.get(layer.name)
    if layer.arguments.get("return_state") is True:
        return "also returns its state, and a stack has one output; remove return_state"
    if layer.arguments.get("stateful") is True:
        return (
            "cannot keep its state between batches, because rows are shuffled; leave out stateful"
        )
    return None


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
    use_names(loaded.experiment.code)
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
    if context.profile.target.kind == "inputs" and len(spec.dataset.views) > 1:
        message = "inputs are the label of a model with one input, and this one has several"
        yield IncompatibleSpec("NN123", ("dataset", "target"), message)
        return
    yield from split_problems(spec, context.profile)
    yield from _input_errors(context)
    layers = [*model_problems(spec.model, [name for name in spec.dataset.views if name])]
    yield from layers
    if context.trace and not layers:
        yield from context.trace.problems
        yield from _output_errors(context, context.trace)
    yield from training.file_problems(spec.training.callbacks, own)
    yield from training.package_problems(spec.training.callbacks)
    yield from training.optimizer_problems(spec.training)
    yield from training.monitor_problems(spec)
    yield from _class_errors(context)
    yield from training.freeze_problems(spec)
    yield from training.weights_problems(spec)


def input_problems(spec: Experiment) -> Iterator[IncompatibleSpec]:
    """Inputs that data and model do not share, and keys that belong to each of several inputs."""
    names, first = [name for name in spec.dataset.views if name], spec.model[0]
    for index, layer in enumerate(spec.model):
        if layer.name == component.INPUTS and (index or not names):
            reason = (
                "must be the first layer" if index else "needs several inputs in dataset.inputs"
            )
            yield IncompatibleSpec("NN133", ("model", index), f"{layer.name} {reason}")
    if not names:
        return
    for key in ("features", "prepare", "categories"):
        # A recorded spec has every key.
        if getattr(spec.dataset, key, None) != type(spec.dataset).model_fields[key].default:
            message = f"belongs to each of several inputs: write it in dataset.inputs.{names[0]}"
            yield IncompatibleSpec("NN133", ("dataset", key), message)
    if first.name != component.INPUTS:
        paths = ", ".join(f"{name}: []" for name in names)
        message = f"the data have several inputs; begin the model with Inputs: {{{paths}}}"
        yield IncompatibleSpec("NN133", ("model", 0), message)
        return
    path, stacks = ("model", 0, component.INPUTS, "paths"), first.arguments["paths"]
    for name in stacks:
        if name not in names:
            message = f"the data have no input {quote(name)}; {known_names(name, names)}"
            yield IncompatibleSpec("NN133", (*path, name), message)
    if missing := [name for name in names if name not in stacks]:
        message = f"has no path for the input {join_words([*map(quote, missing)], 'and')}"
        yield IncompatibleSpec("NN133", path, f"{message}; an empty one, [], passes it on")


def _input_errors(context: SpecContext) -> Iterator[IncompatibleSpec]:
    """Errors in how each input is prepared, and inputs that data and model do not share."""
    inputs = [*input_problems(context.spec)]
    yield from inputs
    for name, view in {} if inputs else context.views.items():
        for error in _prepare_errors(view):
            path = context.spec.path_in_whole(name, error.path)
            yield IncompatibleSpec(error.code, path, error.message)


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
            if texts == isinstance(context.spec.dataset, Words):
                yield from input_dim_problems(context.spec)
        if profile.train is not None and context.input_shape is not None:
            assert isinstance(context.input_shape, tuple)
            check_memory(context.spec, profile.train, context.input_shape)
    except IncompatibleSpec as problem:
        yield problem
    yield from embedding_problems(context.spec, profile.numbers)


def _output_errors(context: SpecContext, trace: Trace) -> Iterator[IncompatibleSpec]:
    shape = trace.shape
    units = labels.output_units(context.spec.model)
    if shape is not None:
        yield from labels.output_problems(context.profile, context.spec, shape)
    elif units is not None:
        yield from labels.label_problems(context.profile, context.spec, units)


def _class_errors(context: SpecContext) -> Iterator[IncompatibleSpec]:
    dataset, profile = context.spec.dataset, context.profile
    weight, classes = context.spec.training.class_weight, profile.classes
    # The names of classes in some user data are unknown before the rows are read.
    unnamed = isinstance(dataset, UserData) and bool(classes) and isinstance(classes, range)
    if profile.open or unnamed:
        return
    yield from training.class_weight_problems(weight, classes)
    yield from training.positive_problems(dataset.positive_class, classes)
