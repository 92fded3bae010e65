"""Labels have the form that each loss needs, and unsuitable losses are refused."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from nnrun.data.labels import encode
from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue, labels
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.types import Dataset, Split, Target

FAMILIES = {
    "SparseCategoricalCrossentropy": "sparse",
    "CategoricalGeneralizedCrossEntropy": "sparse",
    "Circle": "sparse",
    "CategoricalCrossentropy": "categorical",
    "CategoricalFocalCrossentropy": "categorical",
    "CategoricalHinge": "categorical",
    "BinaryCrossentropy": "binary",
    "BinaryFocalCrossentropy": "binary",
    "Hinge": "hinge",
    "SquaredHinge": "hinge",
}


def dataset(classes: int) -> Dataset:
    split = Split(np.zeros((4, 2)), np.arange(4) % max(classes, 1))
    names = tuple(f"kind {number}" for number in range(classes))
    target = "class" if classes else "price in 1000 $"
    return Dataset("shop", split, split, Target.one_of(target, names))


def spec(loss: Any, model: list[Any]) -> Experiment:
    training = {"optimizer": "sgd", "loss": loss, "epochs": 1}
    return Experiment.model_validate(
        {"name": "x", "dataset": "iris", "model": model, "training": training}
    )


def dense(units: int, **arguments: Any) -> dict[str, Any]:
    return {"Dense": {"units": units, **arguments}}


def encoded(loss: str, y: Any, *, classes: int, units: int) -> Any:
    training = spec(loss, ["Flatten"]).training
    return encode(np.asarray(y), training, classes=classes, units=units)


def test_each_loss_of_keras_is_in_its_family() -> None:
    """Under each of its names."""
    for loss in catalogue.names("losses"):
        name = catalogue.canonical_name("losses", loss)
        assert labels.loss_family(loss) == FAMILIES.get(name, "other")


@pytest.mark.parametrize("loss", [name for name in FAMILIES if FAMILIES[name] == "sparse"])
def test_sparse_losses_take_class_numbers(loss: str) -> None:
    y = encoded(loss, [2, 0, 1], classes=3, units=3)

    assert (y.dtype, y.tolist()) == (np.int32, [2, 0, 1])


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "binary_crossentropy", "mse", "kld"])
def test_a_unit_per_class_takes_a_column_per_class(loss: str) -> None:
    """As bytes, because most of them are zeros."""
    y = encoded(loss, [2, 0, 1], classes=3, units=3)

    assert y.dtype == np.uint8
    assert np.array_equal(y, keras.utils.to_categorical([2, 0, 1]))


@pytest.mark.parametrize("loss", ["binary_crossentropy", "hinge", "mse"])
def test_one_unit_takes_one_column(loss: str) -> None:
    """Labels of shape `(rows,)` would be broadcast against an output of `(rows, 1)`."""
    y = encoded(loss, [1, 0, 1], classes=2, units=1)
    values = encoded("mae", [22.5, 50.0], classes=0, units=1)

    assert (y.dtype, y.tolist()) == (np.float32, [[1.0], [0.0], [1.0]])
    assert (values.dtype, values.tolist()) == (np.float32, [[22.5], [50.0]])


@pytest.mark.parametrize(
    ("loss", "classes", "units"),
    [
        ("sparse_categorical_crossentropy", 3, 3),
        ("categorical_crossentropy", 3, 3),
        ("binary_crossentropy", 2, 1),
        ("binary_crossentropy", 2, 2),
        ("binary_crossentropy", 3, 3),
        ("mse", 0, 1),
        ("mse", 2, 1),
        ("mse", 3, 3),
        ("hinge", 2, 1),
    ],
)
def test_a_suitable_width_passes(loss: str, classes: int, units: int) -> None:
    labels.check(dataset(classes), spec(loss, [dense(units)]), units)


@pytest.mark.parametrize(
    ("loss", "classes", "units", "message"),
    [
        ("sparse_categorical_crossentropy", 3, 2, "shop has 3 classes: units must be 3"),
        ("categorical_crossentropy", 3, 4, "shop has 3 classes: units must be 3"),
        ("binary_crossentropy", 2, 3, "shop has 2 classes: units must be 1 or 2"),
        ("binary_crossentropy", 3, 1, "shop has 3 classes: units must be 3"),
        ("mse", 3, 2, "shop has 3 classes: units must be 3"),
        ("mse", 0, 2, "shop has 1 value: units must be 1"),
    ],
)
def test_another_width_is_refused(loss: str, classes: int, units: int, message: str) -> None:
    """With the place of the last layer with units, and the width that would fit."""
    model = ["Flatten", dense(units), {"Activation": {"activation": "relu"}}]
    with pytest.raises(IncompatibleSpec) as caught:
        labels.check(dataset(classes), spec(loss, model), units)

    expected = f"the model has {units} outputs, but {message}"
    assert caught.value.args == ("NN121", ("model", 1), expected)


def test_hinge_is_refused_for_values() -> None:
    with pytest.raises(IncompatibleSpec) as caught:
        labels.check(dataset(0), spec("hinge", [dense(1)]), 1)

    assert caught.value.args == (
        "NN122",
        ("training", "loss"),
        "hinge needs classes, but shop has a number per row (price in 1000 $); use a loss such as "
        "mse",
    )


@pytest.mark.parametrize("shape", [(4, 3), (), (None,)])
def test_an_output_that_is_not_a_row_of_numbers_is_refused(shape: tuple[int | None, ...]) -> None:
    """Keras would broadcast it against the labels."""
    with pytest.raises(IncompatibleSpec) as caught:
        labels.check_output(dataset(3), spec("mse", [dense(3)]), shape)

    assert caught.value.args == (
        "NN121",
        ("model", 0),
        f"the output has shape {shape} per row, but a label is one number; "
        "a Flatten or pooling layer may be missing",
    )
    assert labels.check_output(dataset(3), spec("mse", [dense(3)]), (3,)) == 3


@pytest.mark.parametrize(
    ("model", "units"),
    [
        ([("Dense", {"units": 3})], 3),
        ([("Dense", {"units": 3}), ("Activation", {"activation": "softmax"}), ("Dropout", {})], 3),
        ([("Dense", {"units": 3}), ("Flatten", {})], None),
        ([("Flatten", {})], None),
    ],
    ids=str,
)
def test_the_width_is_known_from_the_spec(model: list[Any], units: int | None) -> None:
    """Then a wrong one is refused before TensorFlow is loaded."""
    components = [
        Component.model_validate({"name": name, "arguments": arguments})
        for name, arguments in model
    ]

    assert labels.output_units(components) == units


@pytest.mark.parametrize(
    "last", [dense(3, activation="softmax"), "Softmax"], ids=["dense", "layer"]
)
def test_a_loss_from_logits_refuses_probabilities(last: Any) -> None:
    loss = {"SparseCategoricalCrossentropy": {"from_logits": True}}

    with pytest.raises(IncompatibleSpec, match="takes logits, but the model outputs probabilities"):
        labels.check(dataset(3), spec(loss, [dense(3), last]), 3)


def test_softmax_over_one_unit_is_refused() -> None:
    model = [dense(1, activation="softmax")]

    with pytest.raises(IncompatibleSpec, match="softmax over one unit always outputs 1; use"):
        labels.check(dataset(2), spec("binary_crossentropy", model), 1)


@pytest.mark.parametrize(
    ("loss", "threshold", "are_probabilities"),
    [("hinge", 0.0, False), ("binary_crossentropy", 0.5, True)],
)
def test_the_threshold_depends_on_the_loss(
    loss: str, threshold: float, are_probabilities: bool
) -> None:
    """A model with hinge loss outputs values from -1 to 1."""
    training = spec(loss, ["Flatten"]).training

    assert labels.threshold(training.loss.name) == threshold
    assert labels.are_probabilities(training) is are_probabilities
