"""What is refused, what stays unchecked, and what the shipped specs hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnrun.check import spec_context
from nnrun.check.shapes import Row, Trace, Traced, trace
from nnrun.errors import IncompatibleSpec
from nnrun.models.build import build
from nnrun.spec import component
from nnrun.spec.component import Component
from nnrun.spec.loading import load

Shape = tuple[int | None, ...]
KerasSays = Callable[[list[Component], Row], tuple[Traced, ...]]

LARGE = {"resnet152", "vgg16", "vgg19"}  # Keras takes seconds to build them
CONFIGS = Path(__file__).parents[3] / "configs"
# The shape of a prepared row of each spec, and the parameters of its model.
CONV = {"filters": 4, "kernel_size": 3}
FIRST = {"data_format": "channels_first"}
DENSE = {"Dense": {"units": 3}}

# What Keras is sure to refuse: the layer, its arguments, the row, and what is said of it.
REFUSED: list[tuple[str, dict[str, Any], Shape, str]] = [
    ("Dense", {"units": 3}, (), "it takes rows of at least one dimension"),
    ("Conv1D", CONV, (8, 9, 3), "it takes rows of shape (length, channels)"),
    ("Conv2D", CONV, (64,), "it takes rows of shape (height, width, channels)"),
    ("Conv2D", CONV | FIRST, (64,), "it takes rows of shape (channels, height, width)"),
    ("Conv3D", CONV, (8, 8, 3), "it takes rows of shape (depth, height, width, channels)"),
    ("Conv2D", CONV, (2, 8, 3), "it would leave nothing of the height of 2"),
    ("Conv2D", CONV, (8, 2, 3), "it would leave nothing of the width of 2"),
    ("Conv1D", CONV | {"dilation_rate": 4}, (8, 3), "it would leave nothing of the length of 8"),
    ("Conv2D", CONV | {"groups": 2}, (8, 8, 3), "3 channels do not divide into 2 groups"),
    ("DepthwiseConv2D", {"kernel_size": 9}, (8, 9, 3), "it would leave nothing of the height of 8"),
    ("Conv2DTranspose", CONV, (8, 3), "it takes rows of shape (height, width, channels)"),
    ("MaxPooling2D", {"pool_size": 3}, (8, 2, 3), "it would leave nothing of the width of 2"),
    ("MaxPooling1D", {}, (4,), "it takes rows of shape (length, channels)"),
    ("GlobalMaxPooling2D", {}, (8, 3), "it takes rows of shape (height, width, channels)"),
    ("SpatialDropout1D", {"rate": 0.5}, (8,), "it takes rows of shape (length, channels)"),
    ("Cropping3D", {"cropping": 4}, (8, 9, 9, 1), "it would leave nothing of the depth of 8"),
    ("UpSampling2D", {}, (8,), "it takes rows of shape (height, width, channels)"),
    ("LSTM", {"units": 3}, (8,), "it takes rows of shape (length, features)"),
    ("Bidirectional", {"layer": {"GRU": 3}}, (8,), "it takes rows of shape (length, features)"),
    ("TimeDistributed", {"layer": DENSE}, (8,), "it takes rows of at least 2 dimensions"),
    ("RepeatVector", {"n": 2}, (8, 3), "it takes rows of shape (features,)"),
    ("Permute", {"dims": [2, 1]}, (8,), "it takes rows of 2 dimensions"),
    ("Permute", {"dims": [1]}, (8, 3), "it takes rows of 1 dimension"),
    ("Reshape", {"target_shape": [4, 4]}, (8,), "8 numbers do not make rows of shape (4, 4)"),
    ("Reshape", {"target_shape": [3, -1]}, (8,), "8 numbers do not make rows of shape (3, -1)"),
    ("BatchNormalization", {"axis": 3}, (8,), "there is no axis 3 to normalise along"),
    ("LayerNormalization", {"axis": [1, -4]}, (8, 3), "there is no axis -4 to normalise along"),
    ("GroupNormalization", {"groups": 4}, (8, 6), "6 channels do not divide into 4 groups"),
    ("PReLU", {"shared_axes": [1, 3]}, (8, 3), "there is no axis 3 to share a slope along"),
]
# Arguments that no rule reads, and a row that would suit the layer.
UNREAD: list[tuple[str, dict[str, Any], Shape]] = [
    ("Dense", {}, (8,)),
    ("Dense", {"units": "16"}, (8,)),
    ("Dense", {"units": True}, (8,)),
    ("Dense", {"units": 0}, (8,)),
    ("Dense", {"units": 16, "unit": 3}, (8,)),
    ("Dense", {"units": 16, "use_bias": None}, (8,)),
    ("Dense", {"units": 16, "trainable": "yes"}, (8,)),
    ("Dense", {"units": 16, "activation": "glu"}, (8,)),
    ("Dense", {"units": 16, "activation": {"LeakyReLU": {}}}, (8,)),
    ("Dense", {"units": 16, "dtype": "int8"}, (8,)),
    ("Dense", {"units": 16, "dtype": {"name": "float16"}}, (8,)),
    ("Dense", {"units": 16, "lora_rank": 2}, (8,)),
    ("Dense", {"units": 16}, (None,)),
    ("Embedding", {"input_dim": 9, "output_dim": 2, "weights": [[1.0]]}, (8,)),
    ("Conv2D", {**CONV, "padding": "VALID"}, (8, 8, 3)),
    ("Conv2D", {**CONV, "padding": "causal"}, (8, 8, 3)),
    ("Conv2D", {**CONV, "kernel_size": [3]}, (8, 8, 3)),
    ("Conv2D", {**CONV, "strides": 2, "dilation_rate": 2}, (8, 8, 3)),
    ("Conv2D", {**CONV, "groups": 3}, (8, 8, 3)),
    ("Conv2D", {**CONV, "data_format": "first"}, (8, 8, 3)),
    ("Conv2D", CONV, (8, 8, None)),
    ("Conv2DTranspose", {**CONV, "output_padding": 1}, (8, 8, 3)),
    (
        "Conv1DTranspose",
        {"filters": 2, "kernel_size": 2, "padding": "same", "output_padding": 0},
        (1, 3),
    ),
    ("AdaptiveMaxPooling2D", {"output_size": 2}, (8, 3)),
    ("Cropping2D", {"cropping": [1, 2, 3]}, (8, 8, 3)),
    ("Reshape", {"target_shape": [-1, -1]}, (8,)),
    ("Reshape", {"target_shape": [0, 8]}, (8,)),
    ("Reshape", {"target_shape": 8}, (8,)),
    ("Permute", {"dims": [3, 1]}, (8, 3)),
    ("Permute", {"dims": []}, (8, 3)),
    ("PReLU", {"shared_axes": [-1]}, (8, 3)),
    ("PReLU", {"shared_axes": [1, 1]}, (8, 3)),
    ("BatchNormalization", {"axis": [1]}, (8, 3)),
    ("BatchNormalization", {"axis": 0}, (8, 3)),
    ("LayerNormalization", {"axis": [2, -1]}, (8, 3)),
    ("GroupNormalization", {"groups": 0}, (8, 3)),
    ("Normalization", {}, (8,)),
    ("Rescaling", {"scale": [1.0, 2.0]}, (8, 2)),
    ("RandomFlip", {}, (8, 3)),
    ("RandomHue", {"factor": 0.1}, (8, 8, 1)),
    ("LSTM", {"units": 3, "return_state": True}, (8, 3)),
    ("LSTM", {"units": 3, "stateful": True}, (8, 3)),
    ("Bidirectional", {"layer": DENSE}, (8, 3)),
    ("Bidirectional", {"layer": {"LSTM": {"units": 3, "go_backwards": True}}}, (8, 3)),
    ("Bidirectional", {"layer": {"LSTM": 3}, "merge_mode": None}, (8, 3)),
    ("Bidirectional", {"layer": {"LSTM": 3}, "backward_layer": {"LSTM": 3}}, (8, 3)),
    ("Bidirectional", {"layer": {"LSTM": 3}, "trainable": False}, (8, 3)),
    ("TimeDistributed", {"layer": {"LSTM": 3}}, (8, 3)),
    ("TimeDistributed", {"layer": {"Dense": 3, "ReLU": {}}}, (8, 3)),
    ("TimeDistributed", {"layer": 3}, (8, 3)),
]


def alone(name: str, arguments: dict[str, Any], shape: Shape) -> Trace:
    """What is said of a layer by itself."""
    return trace([Component(name=name, arguments=arguments)], Row(shape))


@pytest.mark.parametrize(("name", "arguments", "shape", "reason"), REFUSED)
def test_a_layer_is_refused_where_keras_refuses_it(
    name: str, arguments: dict[str, Any], shape: Shape, reason: str, keras_says: KerasSays
) -> None:
    found = alone(name, arguments, shape)
    [problem] = found.problems

    assert (problem.code, problem.path) == ("NN124", ("model", 0))
    assert problem.message == f"{name} cannot follow an output of shape {shape}: {reason}"
    assert (found.layers, found.unchecked) == ((), 0)
    with pytest.raises(IncompatibleSpec, match=f"{name} cannot follow an output of shape"):
        keras_says([Component(name=name, arguments=arguments)], Row(shape))


@pytest.mark.parametrize(("name", "arguments", "shape"), UNREAD)
def test_an_argument_in_another_form_leaves_the_layer_unchecked(
    name: str, arguments: dict[str, Any], shape: Shape
) -> None:
    """Keras may take it or not: nothing is said."""
    assert alone(name, arguments, shape) == Trace((), 0, ())


def test_what_follows_a_refused_layer_is_not_looked_at() -> None:
    stack = [
        Component(name="Flatten"),
        Component(name="Conv2D", arguments=CONV),
        Component(name="Permute", arguments={"dims": [1]}),
    ]
    found = trace(stack, Row((8, 8)))

    assert found.layers == (Traced(0, "Flatten", (64,), 0, 0),)
    assert found.unchecked == 1
    assert [problem.path for problem in found.problems] == [("model", 1)]
    assert (found.shape, found.parameters, found.trainable) == (None, None, None)


def test_a_whole_stack_is_summed_up() -> None:
    stack = [
        Component(name="Embedding", arguments={"input_dim": 100, "output_dim": 8}),
        Component(name="BatchNormalization"),
        Component(name="Bidirectional", arguments={"layer": {"LSTM": 4}}),
        Component(name="Dense", arguments={"": 2}),
    ]
    found = trace(stack, Row((None,), "int32"))

    assert [each.shape for each in found.layers] == [(None, 8), (None, 8), (8,), (2,)]
    assert [each.parameters for each in found.layers] == [800, 32, 416, 18]
    assert (found.shape, found.parameters, found.trainable) == ((2,), 1266, 1250)


def unlearnt(layer: Component) -> Component:
    """An application without the weights that would be downloaded."""
    if layer.name != "Application":
        return layer
    return layer.model_copy(update={"arguments": {**layer.arguments, "weights": None}})


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem in LARGE else ())
        for path in sorted(CONFIGS.rglob("*.yaml"))
    ],
)
def test_a_shipped_spec_has_its_parameters(path: Path, keras_says: KerasSays) -> None:
    about = spec_context(load(path).experiment)
    if about.known.open:
        assert about.trace is None  # only training reads such a file
        return
    assert about.row is not None
    assert about.trace is not None
    stack = [*map(unlearnt, about.spec.model)]
    if any(layer.name in component.COMPOSITES for layer in stack):
        model = build(stack, about.row.shape)
        assert about.trace.parameters == model.count_params()
    else:
        # What an application makes of pictures, only Keras knows.
        names = [layer.name for layer in stack]
        seen = names.index("Application") if "Application" in names else len(stack)
        assert about.trace.layers == keras_says(stack, about.row)[:seen]


def test_nothing_heavy_is_loaded() -> None:
    heavy = "{'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    program = f"import sys, nnrun.check.shapes; print({heavy})"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert answer.stdout == "set()\n", answer.stderr
