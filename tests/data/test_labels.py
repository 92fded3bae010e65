"""Labels reach each loss in the form it needs, and a loss that cannot take them is refused."""

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
from nnrun.types import Dataset, Split

FAMILIES = {
    "sparse": {
        "SparseCategoricalCrossentropy",
        "CategoricalGeneralizedCrossEntropy",
        "Circle",
    },
    "categorical": {
        "CategoricalCrossentropy",
        "CategoricalFocalCrossentropy",
        "CategoricalHinge",
    },
    "binary": {"BinaryCrossentropy", "BinaryFocalCrossentropy"},
    "hinge": {"Hinge", "SquaredHinge"},
}


def dataset(classes: int) -> Dataset:
    split = Split(np.zeros((4, 2)), np.arange(4) % max(classes, 1))
    names = tuple(f"kind {number}" for number in range(classes))
    target = "class" if classes else "price in 1000 $"
    return Dataset("shop", split, split, classes=names, target=target)


def spec(loss: Any, model: list[Any]) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "x",
            "dataset": "iris",
            "model": model,
            "training": {"optimizer": "sgd", "loss": loss, "epochs": 1},
        }
    )


def encoded(loss: str, y: Any, *, classes: int, units: int) -> Any:
    training = spec(loss, ["Flatten"]).training
    return encode(np.asarray(y), training, classes=classes, units=units)


def meant(loss: str) -> str:
    return catalogue.canonical_name("losses", loss)


@pytest.mark.parametrize("loss", sorted(catalogue.names("losses")))
def test_each_loss_of_keras_is_in_its_family(loss: str) -> None:
    """Under each of its names."""
    known = {name: family for family, names in FAMILIES.items() for name in names}

    assert labels.loss_family(loss) == known.get(meant(loss), "other")


@pytest.mark.parametrize("loss", sorted(FAMILIES["sparse"]))
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
    """A label of shape `(rows,)` against an output of `(rows, 1)` invites broadcasting."""
    y = encoded(loss, [1, 0, 1], classes=2, units=1)

    assert (y.dtype, y.tolist()) == (np.float32, [[1.0], [0.0], [1.0]])


def test_values_of_a_regression_stay_values() -> None:
    y = encoded("mae", [22.5, 50.0], classes=0, units=1)

    assert (y.dtype, y.tolist()) == (np.float32, [[22.5], [50.0]])


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
def test_what_fits_passes(loss: str, classes: int, units: int) -> None:
    labels.check(dataset(classes), spec(loss, [{"Dense": {"units": units}}]), units)


WIDTH = ("model", 1)
LOSS = ("training", "loss")


@pytest.mark.parametrize(
    ("loss", "classes", "units", "expected"),
    [
        (
            "sparse_categorical_crossentropy",
            3,
            2,
            (
                "NN121",
                WIDTH,
                "the model has 2 outputs, but shop has 3 classes: units must be 3",
            ),
        ),
        (
            "categorical_crossentropy",
            3,
            4,
            ("NN121", WIDTH, "the model has 4 outputs, but shop has 3 classes: units must be 3"),
        ),
        (
            "binary_crossentropy",
            2,
            3,
            (
                "NN121",
                WIDTH,
                "the model has 3 outputs, but shop has 2 classes: units must be 1 or 2",
            ),
        ),
        (
            "binary_crossentropy",
            3,
            1,
            ("NN121", WIDTH, "the model has 1 outputs, but shop has 3 classes: units must be 3"),
        ),
        (
            "mse",
            3,
            2,
            ("NN121", WIDTH, "the model has 2 outputs, but shop has 3 classes: units must be 3"),
        ),
        (
            "mse",
            0,
            2,
            ("NN121", WIDTH, "the model has 2 outputs, but shop has 1 value: units must be 1"),
        ),
        (
            "hinge",
            0,
            1,
            (
                "NN122",
                LOSS,
                (
                    "hinge needs classes, but shop has a number per row (price in 1000 $); "
                    "use a loss such as mse"
                ),
            ),
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    loss: str, classes: int, units: int, expected: tuple[Any, ...]
) -> None:
    """With the place that a person would change, and what would fit."""
    model = ["Flatten", {"Dense": {"units": units}}, {"Activation": {"activation": "relu"}}]
    with pytest.raises(IncompatibleSpec) as caught:
        labels.check(dataset(classes), spec(loss, model), units)

    assert caught.value.args == expected


@pytest.mark.parametrize("shape", [(4, 3), (), (None,)])
def test_an_output_that_is_no_row_of_numbers_is_refused(shape: tuple[int | None, ...]) -> None:
    """Keras would broadcast it against the labels, and train something else."""
    with pytest.raises(IncompatibleSpec) as caught:
        labels.check_output(dataset(3), spec("mse", [{"Dense": {"units": 3}}]), shape)

    assert caught.value.args == (
        "NN121",
        ("model", 0),
        (
            f"the output has shape {shape} per row, but a label is one number; "
            "a Flatten or pooling layer may be missing"
        ),
    )


def test_the_width_of_a_fitting_output_is_told() -> None:
    assert labels.check_output(dataset(3), spec("mse", [{"Dense": {"units": 3}}]), (3,)) == 3


@pytest.mark.parametrize(
    ("model", "units"),
    [
        ([{"Dense": {"units": 3}}], 3),
        ([{"Dense": {"units": 3}}, {"Activation": {"activation": "softmax"}}, "Dropout"], 3),
        ([{"Dense": {"units": 3}}, "Flatten"], None),
        (["Flatten"], None),
    ],
    ids=str,
)
def test_the_spec_alone_tells_the_width_where_it_can(model: list[Any], units: int | None) -> None:
    """Then a wrong one is refused before TensorFlow has loaded."""
    components = [Component.model_validate(_component(layer)) for layer in model]

    assert labels.output_units(components) == units


def _component(layer: Any) -> Any:
    name, arguments = (layer, {}) if isinstance(layer, str) else next(iter(layer.items()))
    return {"name": name, "arguments": arguments}


@pytest.mark.parametrize(
    "last", [{"Dense": {"units": 3, "activation": "softmax"}}, "Softmax"], ids=["dense", "layer"]
)
def test_probabilities_are_no_logits(last: Any) -> None:
    """Softmax twice: the loss would see through it, the predictions would not."""
    loss = {"SparseCategoricalCrossentropy": {"from_logits": True}}
    model = [{"Dense": {"units": 3}}, last]

    with pytest.raises(IncompatibleSpec, match="takes logits, but the model outputs probabilities"):
        labels.check(dataset(3), spec(loss, model), 3)


def test_hinge_puts_the_border_at_0_and_promises_no_probability() -> None:
    """Its model answers from -1 to 1."""
    hinge, crossentropy = (
        spec(loss, ["Flatten"]).training for loss in ("hinge", "binary_crossentropy")
    )

    assert (labels.threshold(hinge.loss.name), labels.are_probabilities(hinge)) == (0.0, False)
    assert (labels.threshold(crossentropy.loss.name), labels.are_probabilities(crossentropy)) == (
        0.5,
        True,
    )


def test_softmax_over_one_unit_is_refused() -> None:
    """It is always 1, and training changes nothing."""
    model = [{"Dense": {"units": 1, "activation": "softmax"}}]

    with pytest.raises(
        IncompatibleSpec, match="softmax over one unit always outputs 1; use sigmoid"
    ):
        labels.check(dataset(2), spec("binary_crossentropy", model), 1)
