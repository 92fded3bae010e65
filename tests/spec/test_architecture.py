"""Architectures in the formats of Keras 2 and 3 become layers of a spec, or are refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnrun.spec import architecture
from nnrun.spec.architecture import Architecture, UnreadableArchitecture

Json = dict[str, Any]


def layer(kind: str, name: str, inbound: list[Any] | None = None, **config: Any) -> Json:
    nodes = {} if inbound is None else {"inbound_nodes": inbound}
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, **nodes}


def functional(*layers: Json, output: str, inputs: tuple[str, ...] = ("x",)) -> Json:
    config = {
        "name": "model",
        "layers": [
            *(layer("InputLayer", name, [], batch_input_shape=[None, 8, 4]) for name in inputs),
            *layers,
        ],
        "input_layers": [[name, 0, 0] for name in inputs],
        "output_layers": [[output, 0, 0]],
    }
    return {"class_name": "Functional", "config": config, "keras_version": "2.15.0"}


def read(model: Json, folder: Path) -> Architecture:
    path = folder / "model.json"
    path.write_text(json.dumps(model), "utf-8")
    return architecture.read(path)


SEQUENTIAL = [
    layer(
        "Dense",
        "dense",
        units=4,
        activation="relu",
        use_bias=True,
        batch_input_shape=[None, 10],
        dtype="float32",
        kernel_initializer={"class_name": "GlorotUniform", "config": {"seed": None}},
        bias_initializer={"class_name": "Zeros", "config": {}},
        kernel_regularizer={"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}},
        kernel_constraint={"class_name": "MaxNorm", "config": {"max_value": 3, "axis": 0}},
    ),
    layer("LeakyReLU", "leaky", alpha=0.1),
    layer("BatchNormalization", "bn", axis=[1], momentum=0.9, epsilon=0.001, fused=None),
    layer("Dense", "last", units=1, activation="linear"),
]


@pytest.mark.parametrize("config", [SEQUENTIAL, {"name": "s", "layers": SEQUENTIAL}], ids=type)
def test_a_sequential_model_of_keras_2(config: Any, tmp_path: Path) -> None:
    """The config was a list in Keras 2.1; defaults are left out, and new names are used."""
    result = read({"class_name": "Sequential", "config": config}, tmp_path)

    assert result.layers == [
        {
            "Dense": {
                "units": 4,
                "activation": "relu",
                "kernel_regularizer": {"L1L2": {"l2": 0.01}},
                "kernel_constraint": {"MaxNorm": {"max_value": 3}},
            }
        },
        {"LeakyReLU": {"negative_slope": 0.1}},
        {"BatchNormalization": {"axis": 1, "momentum": 0.9}},
        {"Dense": {"units": 1}},
    ]
    assert (result.shape, result.dtype, result.notes) == ((10,), "float32", ())


def test_a_functional_model_of_keras_2(tmp_path: Path) -> None:
    """With a layer used twice, an operator of TensorFlow, an attention and a merge."""
    model = functional(
        layer("Dense", "d", [[["x", 0, 0, {}]], [["t", 0, 0, {}]]], units=4),
        layer("TFOpLambda", "t", [["d", 0, 0, {"y": 3.0}]], function="math.multiply"),
        layer("Attention", "a", [[["d", 1, 0, {}], ["t", 0, 0, {}]]], use_scale=True),
        layer("Concatenate", "c", [[["a", 0, 0, {}], ["d", 0, 0, {}]]], axis=1),
        output="c",
    )

    assert read(model, tmp_path).layers == [
        {"Dense": {"units": 4, "shared": "d", "name": "d_1"}},
        {"Rescaling": {"scale": 3.0, "name": "t"}},
        {
            "Branches": {
                "paths": [
                    [
                        {"Dense": {"units": 4, "shared": "d"}},
                        {"Attention": {"use_scale": True, "value": {"from": "t"}}},
                    ],
                    [{"from": "d_1"}],
                ],
                "merge": {"concatenate": {"axis": 1}},
            }
        },
    ]


ONE = [[["x", 0, 0, {}]]]
REFUSED: dict[str, tuple[Json, str]] = {
    "no model": ({"class_name": "Dense"}, "it is not a Sequential or Functional model of Keras"),
    "an incomplete model": (
        functional(layer("ReLU", "r", [[["y", 0, 0, {}]]]), output="r"),
        "its layers are not connected",
    ),
    "a layer without input": (
        functional(layer("ReLU", "r", [[]]), output="r"),
        "layer 'r' has no input",
    ),
    "no layers": (functional(output="x"), "it has no layers"),
    "code": (
        functional(layer("Lambda", "f", ONE), output="f"),
        "the Lambda of layer 'f' runs Python code; a spec cannot contain it",
    ),
    "a class of others": (
        functional(layer("Mine", "m", ONE), output="m"),
        "the Mine of layer 'm' is not a part of Keras; a spec cannot contain it",
    ),
    "several inputs": (
        functional(layer("Add", "s", [[["x", 0, 0, {}], ["y", 0, 0, {}]]]), output="s", inputs=("x", "y")),
        "it has 2 inputs, 'x' and 'y'; a spec has one",
    ),
    "an operation": (
        functional(layer("TFOpLambda", "t", [["x", 0, 0, {}]], function="math.sin"), output="t"),
        "'t' calls the operation 'math.sin', for which Keras has no layer",
    ),
    "a state": (
        functional(
            layer("Dense", "d", ONE, units=4),
            layer("GRU", "g", [[["x", 0, 0, {"initial_state": ["d", 0, 0]}]]], units=4),
            output="g",
        ),
        "layer 'g' is called with several outputs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_spec_cannot_say_is_refused_with_a_reason(case: str, tmp_path: Path) -> None:
    model, reason = REFUSED[case]
    with pytest.raises(UnreadableArchitecture) as refused:
        read(model, tmp_path)

    assert str(refused.value) == reason


@pytest.mark.parametrize("text", ["", "[]", "{", '{"class_name": "Sequential", "config": 3}'])
@pytest.mark.parametrize("name", ["model.json", "model.keras"])
def test_a_file_that_is_no_model_is_refused(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(UnreadableArchitecture, match="is not a"):
        architecture.read(tmp_path / name)
