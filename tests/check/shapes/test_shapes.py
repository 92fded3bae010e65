"""Which layers are refused, which stay unchecked, and composites and shipped specs."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nnrun.check import spec_context
from nnrun.check.shapes import SUPPORTED, LayerOutput, Shape, Trace, trace
from nnrun.errors import IncompatibleSpec
from nnrun.models.build import build, wire
from nnrun.spec import catalogue
from nnrun.spec.component import COMPOSITES, INPUTS, Component
from nnrun.spec.loading import load
from tests.check.shapes.reference import keras_outputs

Arguments = dict[str, Any]
CONFIGS = Path(__file__).parents[3] / "configs"
CONV = {"filters": 4, "kernel_size": 3}
FIRST = {"data_format": "channels_first"}
DENSE = {"Dense": {"units": 3}}
IMAGE = (8, 8, 3)

# A layer that Keras refuses, its arguments, the input shape and the reason.
REFUSED: list[tuple[str, Arguments, Shape, str]] = [
    ("Dense", {"units": 3}, (), "it takes rows of at least one dimension"),
    ("Conv1D", CONV, (8, 9, 3), "it takes rows of shape (length, channels)"),
    ("Conv2D", CONV, (64,), "it takes rows of shape (height, width, channels)"),
    ("Conv2D", CONV | FIRST, (64,), "it takes rows of shape (channels, height, width)"),
    ("Conv2D", CONV, (2, 8, 3), "it would leave nothing of the height of 2"),
    ("Conv1D", CONV | {"dilation_rate": 4}, (8, 3), "it would leave nothing of the length of 8"),
    ("Conv2D", CONV | {"groups": 2}, IMAGE, "3 channels do not divide into 2 groups"),
    ("MaxPooling2D", {"pool_size": 3}, (8, 2, 3), "it would leave nothing of the width of 2"),
    ("GlobalMaxPool2D", {}, (8, 3), "it takes rows of shape (height, width, channels)"),
    ("Cropping3D", {"cropping": 4}, (8, 9, 9, 1), "it would leave nothing of the depth of 8"),
    ("LSTM", {"units": 3}, (8,), "it takes rows of shape (length, features)"),
    ("Bidirectional", {"layer": {"GRU": 3}}, (8,), "it takes rows of shape (length, features)"),
    ("TimeDistributed", {"layer": DENSE}, (8,), "it takes rows of at least 2 dimensions"),
    ("RepeatVector", {"n": 2}, (8, 3), "it takes rows of shape (features,)"),
    ("Permute", {"dims": [2, 1]}, (8,), "it takes rows of 2 dimensions"),
    ("Reshape", {"target_shape": [4, 4]}, (8,), "8 numbers do not make rows of shape (4, 4)"),
    ("Reshape", {"target_shape": [3, -1]}, (8,), "8 numbers do not make rows of shape (3, -1)"),
    ("BatchNormalization", {"axis": 3}, (8,), "there is no axis 3 to normalize along"),
    ("LayerNormalization", {"axis": [1, -4]}, (8, 3), "there is no axis -4 to normalize along"),
    ("GroupNormalization", {"groups": 4}, (8, 6), "6 channels do not divide into 4 groups"),
    ("PReLU", {"shared_axes": [1, 3]}, (8, 3), "there is no axis 3 to share a slope along"),
]
# Arguments in a form that no rule supports.
UNSUPPORTED: list[tuple[str, Arguments, Shape]] = [
    ("Dense", {}, (8,)),
    *(("Dense", {"units": units}, (8,)) for units in ("16", True, 0)),
    *(
        ("Dense", {"units": 16, **arguments}, (8,))
        for arguments in (
            {"unit": 3},
            {"use_bias": None},
            {"trainable": "yes"},
            {"activation": "glu"},
            {"activation": {"LeakyReLU": {}}},
            {"dtype": "int8"},
            {"dtype": {"name": "float16"}},
            {"lora_rank": 2},
        )
    ),
    ("Dense", {"units": 16}, (None,)),
    ("Embedding", {"input_dim": 9, "output_dim": 2, "weights": [[1.0]]}, (8,)),
    *(
        ("Conv2D", {**CONV, **arguments}, IMAGE)
        for arguments in (
            {"padding": "VALID"},
            {"padding": "causal"},
            {"kernel_size": [3]},
            {"strides": 2, "dilation_rate": 2},
            {"groups": 3},
            {"data_format": "first"},
        )
    ),
    ("Conv2D", CONV, (8, 8, None)),
    ("Conv2DTranspose", {**CONV, "output_padding": 1}, IMAGE),
    ("Conv1DTranspose", {**CONV, "padding": "same", "output_padding": 0}, (0, 3)),
    ("AdaptiveMaxPooling2D", {"output_size": 2}, (8, 3)),
    ("Cropping2D", {"cropping": [1, 2, 3]}, IMAGE),
    *(("Reshape", {"target_shape": target}, (8,)) for target in ([-1, -1], [0, 8], 8)),
    *(("Permute", {"dims": order}, (8, 3)) for order in ([3, 1], [])),
    *(("PReLU", {"shared_axes": axes}, (8, 3)) for axes in ([-1], [1, 1])),
    *(("BatchNormalization", {"axis": axis}, (8, 3)) for axis in ([1], 0)),
    ("LayerNormalization", {"axis": [2, -1]}, (8, 3)),
    ("GroupNormalization", {"groups": 0}, (8, 3)),
    ("Normalization", {}, (8,)),
    ("Rescaling", {"scale": [1.0, 2.0]}, (8, 3)),
    ("RandomFlip", {}, (8, 3)),
    ("RandomHue", {"factor": 0.1}, (8, 8, 1)),
    *(("LSTM", {"units": 3, flag: True}, (8, 3)) for flag in ("return_state", "stateful")),
    ("Bidirectional", {"layer": DENSE}, (8, 3)),
    ("Bidirectional", {"layer": {"LSTM": {"units": 3, "go_backwards": True}}}, (8, 3)),
    *(
        ("Bidirectional", {"layer": {"LSTM": 3}, **arguments}, (8, 3))
        for arguments in (
            {"merge_mode": None},
            {"backward_layer": {"LSTM": 3}},
            {"trainable": False},
        )
    ),
    *(
        ("TimeDistributed", {"layer": layer}, (8, 3))
        for layer in ({"LSTM": 3}, {"Dense": 3, "ReLU": {}}, 3)
    ),
]


def trace_layer(name: str, arguments: Arguments, shape: Shape) -> Trace:
    return trace([Component(name=name, arguments=arguments)], shape)


@pytest.mark.parametrize(("name", "arguments", "shape", "reason"), REFUSED)
def test_a_layer_is_refused_where_keras_refuses_it(
    name: str, arguments: Arguments, shape: Shape, reason: str
) -> None:
    result = trace_layer(name, arguments, shape)
    [problem] = result.problems

    assert (problem.code, problem.path) == ("NN124", ("model", 0))
    assert problem.message == f"{name} cannot follow an output of shape {shape}: {reason}"
    assert (result.layers, result.unchecked) == ((), 0)
    with pytest.raises(IncompatibleSpec, match=f"{name} cannot follow an output of shape"):
        keras_outputs([Component(name=name, arguments=arguments)], shape)


@pytest.mark.parametrize(("name", "arguments", "shape"), UNSUPPORTED)
def test_an_unsupported_argument_leaves_the_layer_unchecked(
    name: str, arguments: Arguments, shape: Shape
) -> None:
    """Keras may accept it or not, so there is no error."""
    assert trace_layer(name, arguments, shape) == Trace((), 0)


@pytest.mark.parametrize("name", sorted({*catalogue.names("layers")} - SUPPORTED))
def test_a_layer_without_a_rule_leaves_the_rest_unchecked(name: str) -> None:
    dense = Component(name="Dense", arguments={"units": 2})
    result = trace([dense, Component(name=name), dense], (6,))

    assert result == Trace((LayerOutput((2,), 14),), 1)
    assert (result.shape, result.parameters) == (None, None)


@pytest.mark.parametrize("name", ["MixUp", "CutMix", "RandAugment", "AugMix"])
def test_layers_after_an_augmentation_are_checked(name: str) -> None:
    layers = [Component(name=name), Component(name="Conv2D", arguments=CONV)]

    assert trace(layers, IMAGE).layers == keras_outputs(layers, IMAGE)
    assert trace([*layers, Component(name="LSTM", arguments={"": 2})], IMAGE).problems


def test_layers_after_a_refused_layer_are_not_checked() -> None:
    layers = [
        Component(name="Flatten"),
        Component(name="Conv2D", arguments=CONV),
        Component(name="Permute", arguments={"dims": [1]}),
    ]
    result = trace(layers, (8, 8))

    assert (result.layers, result.unchecked) == ((LayerOutput((64,)),), 1)
    assert [problem.path for problem in result.problems] == [("model", 1)]


def test_parameters_of_a_stack_are_added_up() -> None:
    layers = [
        Component(name="Embedding", arguments={"input_dim": 100, "output_dim": 8}),
        Component(name="BatchNormalization"),
        Component(name="Bidirectional", arguments={"layer": {"LSTM": 4}}),
        Component(name="Dense", arguments={"": 2}),
    ]
    result = trace(layers, (None,))

    assert [output.shape for output in result.layers] == [(None, 8), (None, 8), (8,), (2,)]
    assert [output.parameters for output in result.layers] == [800, 32, 416, 18]
    assert [output.trainable for output in result.layers] == [800, 16, 416, 18]
    assert (result.shape, result.parameters) == ((2,), 1266)


SAME = {"Conv2D": {"filters": 4, "kernel_size": 3, "padding": "same"}}
POOL = {"MaxPooling2D": {"pool_size": 3, "strides": 1, "padding": "same"}}
HALF = {"Conv2D": {"filters": 6, "kernel_size": 1, "strides": 2}}
ONE, THREE = ({"Conv2D": {"filters": filters, "kernel_size": 1}} for filters in (1, 3))
VALID_COMPOSITES: dict[str, tuple[str, Arguments]] = {
    "block": ("Block", {"layers": [SAME, "BatchNormalization", "ReLU"], "block": "conv"}),
    "block of one layer": ("Block", {"layers": SAME}),
    "repeat": ("Repeat", {"times": 3, "layers": [SAME, "BatchNormalization"]}),
    "residual": ("Residual", {"main": [SAME, "BatchNormalization"]}),
    "residual with a shortcut": ("Residual", {"main": [SAME, HALF], "shortcut": [HALF]}),
    "branches": ("Branches", {"paths": [[SAME], [POOL, "BatchNormalization"], []]}),
    "added branches": ("Branches", {"paths": [SAME, POOL], "merge": "add"}),
    "nested": (
        "Repeat",
        {"times": 2, "layers": [{"Residual": {"main": {"Branches": {"paths": [ONE, THREE]}}}}]},
    ),
}


@pytest.mark.parametrize("case", VALID_COMPOSITES)
def test_a_composite_has_the_shape_and_parameters_of_keras(case: str) -> None:
    name, arguments = VALID_COMPOSITES[case]
    layers = [Component(name=name, arguments=arguments), Component(name="Flatten")]
    result, model = trace(layers, (8, 8, 4)), build(layers, (8, 8, 4))
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)

    assert {name for name, _ in VALID_COMPOSITES.values()} == COMPOSITES.keys() - {INPUTS}
    assert (result.shape, result.parameters) == (model.output_shape[1:], model.count_params())
    assert sum(output.trainable for output in result.layers) == trainable


@pytest.mark.parametrize(
    ("name", "arguments", "path", "message"),
    [
        (
            "Residual",
            {"main": [DENSE]},
            (),
            "Residual cannot follow an output of shape (4,): main puts out (3,) and shortcut (4,); "
            "put layers into shortcut",
        ),
        (
            "Branches",
            {"paths": [[DENSE], []], "merge": "add"},
            (),
            "Branches cannot follow an output of shape (4,): the paths put out (3,), (4,), which "
            "cannot be merged",
        ),
        (
            "Branches",
            {"paths": [[], [DENSE, SAME]]},
            ("Branches", "paths", 1, 1),
            "Conv2D cannot follow an output of shape (3,): it takes rows of shape (height, width, "
            "channels)",
        ),
    ],
)
def test_a_problem_inside_a_composite_has_its_path(
    name: str, arguments: Arguments, path: tuple[str | int, ...], message: str
) -> None:
    [problem] = trace_layer(name, arguments, (4,)).problems

    assert (problem.path, problem.message) == (("model", 0, *path), message)


@pytest.mark.parametrize(
    "path",
    # Another test builds the architectures.
    sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent.name != "architectures"),
    ids=lambda path: path.stem,
)
def test_a_shipped_spec_has_the_shapes_of_keras(path: Path) -> None:
    context = spec_context(load(path).experiment)
    if context.profile.open:
        assert context.trace is None  # only training reads such a file
        return
    assert context.input_shape is not None
    assert context.trace is not None
    layers = [
        layer.model_copy(update={"arguments": {**layer.arguments, "weights": None}})
        if layer.name == "Application"
        else layer
        for layer in context.spec.model
    ]
    if any(layer.name in COMPOSITES for layer in layers):
        dtypes = dict.fromkeys(context.input_shape, "float32")
        dtype = dtypes if isinstance(context.input_shape, dict) else "float32"
        model = wire(layers, context.input_shape, dtype=dtype).model
        assert context.trace.parameters == model.count_params()
    else:
        expected = keras_outputs(layers, context.input_shape, context.input_dtype)
        assert context.trace.layers == expected[: context.trace.unchecked]


def test_heavy_packages_are_not_imported() -> None:
    heavy = "{'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    program = f"import sys, nnrun.check; print({heavy})"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert answer.stdout == b"set()\n", answer.stderr
