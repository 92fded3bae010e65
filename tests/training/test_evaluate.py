"""Evaluation equals Keras's, and outputs become classes and probabilities."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from nnrun.data import datasets, preprocessing
from nnrun.data.labels import (
    confidence,
    confusion_matrix,
    encode,
    predicted_classes,
)
from nnrun.errors import IncompatibleSpec
from nnrun.models.build import build
from nnrun.spec.component import Component
from nnrun.spec.dataset import Digits
from nnrun.spec.labels import outputs_logits
from nnrun.spec.training import Training
from nnrun.training import devices, evaluate
from nnrun.training.compile import compile_model
from nnrun.training.evaluate import Evaluator
from nnrun.training.rows import Rows, resident

TRAINING = Training(
    optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=("accuracy",), epochs=1
)


@pytest.fixture(scope="module")
def digits() -> tuple[keras.Model, Rows, Evaluator]:
    """An untrained model and more rows than are evaluated at once."""
    keras.utils.clear_session()
    devices.seed_everything(0)
    data = datasets.load(Digits(name="digits")).train
    layers = [("Flatten", {}), ("Dropout", {"rate": 0.5}), ("BatchNormalization", {})]
    layers += [("Dense", {"units": 10, "activation": "softmax"})]
    model = build([Component(name=name, arguments=arguments) for name, arguments in layers], (8, 8))
    compile_model(model, TRAINING)
    preparation = preprocessing.fit((), data.x, rows=np.arange(len(data)))
    labels = encode(data.y, TRAINING, classes=10, units=10)
    rows = resident(preparation.store(data.x), labels)
    return model, rows, Evaluator(model, preparation)


def test_metrics_equal_those_of_keras(digits: tuple[keras.Model, Rows, Evaluator]) -> None:
    """On some rows, and twice the same; the weights do not change."""
    model, rows, evaluator = digits
    before = [weight.tobytes() for weight in model.get_weights()]
    some = np.arange(100, 1400)
    results = [evaluator.metrics(rows, some) for _ in range(2)]
    expected = model.evaluate(rows.x[100:1400], rows.y[100:1400], verbose=0, return_dict=True)

    assert len(rows) > evaluate.EVALUATION_ROWS
    assert results == [pytest.approx(expected, rel=1e-5)] * 2
    assert [weight.tobytes() for weight in model.get_weights()] == before


def test_outputs_equal_those_of_keras(digits: tuple[keras.Model, Rows, Evaluator]) -> None:
    """One row each, in order, without dropout."""
    model, rows, evaluator = digits
    outputs = evaluator.outputs(rows, np.arange(len(rows)))

    assert outputs == pytest.approx(model.predict(rows.x, verbose=0), rel=1e-5)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([[0.0, 0.0], [np.log(3), 0.0]], [[0.5, 0.5], [0.75, 0.25]]),
        ([[0.0], [np.log(3)]], [[0.5], [0.75]]),
    ],
)
def test_logits_become_probabilities(logits: Any, expected: Any) -> None:
    """Softmax over classes, the sigmoid of a single unit."""
    assert evaluate.probabilities(np.array(logits, np.float32)) == pytest.approx(
        np.array(expected), rel=1e-6
    )


OUTPUT = np.array([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]])
SINGLE = np.array([[0.2], [0.5], [0.9]])


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, [0, 0, 1]), (0.0, [1, 1, 1])])
def test_one_unit_predicts_class_1_above_the_threshold(
    threshold: float, expected: list[int]
) -> None:
    """And class 0 at it, as Keras's metrics do."""
    assert predicted_classes(SINGLE, threshold=threshold).tolist() == expected


def test_several_units_predict_the_class_of_the_highest_output() -> None:
    assert predicted_classes(OUTPUT, threshold=0.5).tolist() == [1, 0]


def test_a_row_without_numbers_has_no_class() -> None:
    assert predicted_classes(np.array([[np.nan], [0.9]]), threshold=0.5).tolist() == [-1, 1]
    assert predicted_classes(np.array([[0.2, np.nan], [0.1, 0.9]]), threshold=0.5).tolist() == [
        -1,
        1,
    ]


def test_confidence_is_the_probability_of_the_predicted_class() -> None:
    """With one unit, also of class 0."""
    assert confidence(OUTPUT).tolist() == [0.5, 0.9]
    assert confidence(SINGLE).tolist() == [0.8, 0.5, 0.9]


def test_every_class_has_a_row_and_a_column() -> None:
    """Also one that has no rows and is never predicted."""
    target, guess = np.array([0, 0, 2]), np.array([0, 2, 2])

    assert confusion_matrix(target, guess, "abcd").tolist() == [
        [1, 0, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]


@pytest.mark.parametrize(
    ("loss", "logits"),
    [
        ("mse", False),
        ({"BinaryCrossentropy": {"from_logits": True}}, True),
        ({"BinaryCrossentropy": {"from_logits": False}}, False),
    ],
)
def test_the_loss_determines_whether_outputs_are_logits(loss: Any, logits: bool) -> None:
    training = Training.model_validate({"optimizer": "sgd", "loss": loss, "epochs": 1})

    assert outputs_logits(training) is logits


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"optimizer": {"SGD": {"no_such": 1}}}, ("training", "optimizer")),
        ({"loss": {"Huber": {"no_such": 1}}}, ("training", "loss")),
        ({"metrics": ["mae", {"AUC": {"no_such": 1}}]}, ("training", "metrics", 1)),
    ],
    ids=str,
)
def test_an_argument_that_keras_refuses_is_reported_with_its_place(
    wrong: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    given = {"optimizer": "sgd", "loss": "mse", "epochs": 1, **wrong}
    model = build([Component(name="Dense", arguments={"units": 1})], (3,))
    with pytest.raises(IncompatibleSpec) as caught:
        compile_model(model, Training.model_validate(given))

    assert (caught.value.code, caught.value.path) == ("NN114", path)
    assert "no_such" in caught.value.message


@pytest.mark.parametrize(
    ("layers", "kind"),
    [
        ([keras.layers.RandomTranslation(0.3, 0.3)], "augment"),
        ([keras.layers.RandAugment(value_range=(0, 1))], "augment"),
        ([keras.layers.SpatialDropout2D(0.5)], "mc-dropout"),
        ([keras.Sequential([keras.layers.Dropout(0.5)])], "mc-dropout"),
        (
            [
                keras.layers.Reshape((8, 24)),
                keras.layers.Bidirectional(keras.layers.LSTM(3, dropout=0.5)),
            ],
            "mc-dropout",
        ),
        ([keras.layers.GaussianNoise(1.0), keras.layers.Dropout(0.0)], None),
    ],
    ids=["random", "augment", "spatial", "nested", "recurrent", "none"],
)
def test_random_layers_are_active_in_predictions(
    layers: list[keras.layers.Layer], kind: str | None
) -> None:
    """Those of the kind that is asked for; the same seed gives the same outputs."""
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers, keras.layers.BatchNormalization()])
    compile_model(model, TRAINING)
    x = np.random.default_rng(0).random((5, 8, 8, 3)).astype("float32")
    preparation = preprocessing.fit((), x, rows=np.arange(5))
    rows = resident(preparation.store(x), np.zeros(5))
    active = [name for name in ("augment", "mc-dropout") if evaluate.activate(model, name, [0, 0])]
    evaluator = Evaluator(model, preparation)
    first, second = (evaluator.outputs(rows, np.arange(5)) for _ in range(2))
    evaluate.activate(model, "augment", [0, 0])

    assert active == ([kind] if kind else [])
    assert np.array_equal(first, second) == (kind is None)
    np.testing.assert_array_equal(evaluator.outputs(rows, np.arange(5)), first)


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("from_logits", [False, True])
def test_metrics_of_averaged_outputs_equal_those_of_a_model(units: int, from_logits: bool) -> None:
    """Probabilities are judged as such, also if the loss takes logits."""
    rng = np.random.default_rng(0)
    output = rng.normal(size=(50, units)).astype("float32")
    y = rng.integers(0, max(2, units), 50)
    name = "BinaryCrossentropy" if units == 1 else "SparseCategoricalCrossentropy"
    loss = getattr(keras.losses, name)(from_logits=True)(y.reshape(-1, 1), output)
    right = (output[:, 0] > 0) == y if units == 1 else output.argmax(axis=1) == y
    arguments = {"from_logits": True} if from_logits else {}
    training = Training(optimizer="sgd", loss={name: arguments}, metrics=("accuracy",), epochs=1)
    shares = evaluate.probabilities(output)
    metrics = evaluate.metrics_of_outputs(shares, y, training)

    np.testing.assert_allclose(evaluate.probabilities(evaluate.logits(shares)), shares, atol=1e-6)
    assert metrics["loss"] == pytest.approx(float(loss), rel=1e-4)
    assert metrics["accuracy"] == pytest.approx(right.mean(), rel=1e-6)
