"""Bags of words kept as words train the same model as whole rows of zeros and ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from nnrun.data import preprocessing
from nnrun.models import saved
from nnrun.spec.prepare import MultiHot
from nnrun.spec.training import Training
from nnrun.training import devices
from nnrun.training.compile import compile_model
from nnrun.training.evaluate import Evaluator
from nnrun.training.loop import Trainer
from nnrun.training.rows import Rows, enable_sparse, inputs, resident, sparse_layers, sparse_product
from nnrun.types import Array, Fold, History, Logs, Observer, Sequences

DIMENSION, MANY, BATCH = 603, 150, 32
# Three full batches and one of 24 rows.
FOLD = Fold(np.arange(120), np.arange(120, MANY))
FULL = Fold(np.arange(96), np.arange(96, 128))


@cache
def bags() -> Sequences:
    """Texts of different length in which words are said again, the first and the last empty."""
    rng = np.random.default_rng(0)
    lengths = [0, *rng.integers(1, 30, MANY - 2), 0]
    values = rng.zipf(1.3, sum(lengths)) % DIMENSION
    return Sequences(values.astype(np.int32), np.cumsum([0, *lengths]))


@cache
def preparation() -> preprocessing.Preparation:
    step = MultiHot(dimension=DIMENSION)
    fitted = preprocessing.FittedMultiHot(step, (DIMENSION,))
    return preprocessing.Preparation((fitted,), (DIMENSION,), "float32", stored_expanded=False)


def labels() -> Array:
    """Whether a text says one of the commonest words."""
    return whole()[:, 2:5].max(axis=1).astype(np.float32)[:, None]


@cache
def whole() -> Array:
    return np.asarray(preparation().expand(preparation().store(bags()), np, ({},)))


def rows(*, as_words: bool) -> Rows:
    prepared = preparation()
    stored = prepared.distinct(bags()) if as_words else prepared.store(bags())
    return resident(stored, labels(), prepared.state)


@pytest.mark.parametrize("traced", [False, True])
def test_words_are_expanded_to_the_same_rows(traced: bool) -> None:
    """In any order, one twice, and where it is not known how many."""
    chosen = np.array([MANY - 1, 3, 0, 3, 77], np.int32)

    def expanded(indices: Any) -> Any:
        return inputs(preparation(), rows(as_words=True).tensors, indices)

    made = tf.function(expanded, input_signature=[tf.TensorSpec((None,), tf.int32)])
    found = (made if traced else expanded)(tf.constant(chosen))

    assert np.array_equal(found, whole()[chosen])


@pytest.mark.parametrize("units", [1, 15, 16, 17, 46, 64])
def test_the_product_and_its_gradient_are_those_of_the_whole_matrix(units: int) -> None:
    kernel = tf.Variable(np.random.default_rng(1).normal(size=(DIMENSION, units)), dtype=tf.float32)
    weights = np.random.default_rng(2).normal(size=(MANY, units)).astype(np.float32)
    x = inputs(preparation(), rows(as_words=True).tensors, tf.range(MANY))
    with tf.GradientTape() as tape:
        product = sparse_product(x._sparse_rows, kernel)
        loss = tf.reduce_sum(product * weights)

    assert np.allclose(product, whole() @ kernel.numpy(), rtol=1e-5, atol=1e-5)
    gradient = tape.gradient(loss, kernel)
    assert np.allclose(gradient, whole().T @ weights, rtol=1e-5, atol=1e-5)


Net = Callable[[Any], Any]
NETS: dict[str, tuple[Net, int]] = {
    "a dense layer first": (lambda x: layers.Dense(20, "relu")(x), 1),
    "no bias, penalties": (
        lambda x: layers.Dense(
            8, use_bias=False, kernel_regularizer="l2", kernel_constraint="max_norm"
        )(x),
        1,
    ),
    "two branches": (
        lambda x: layers.Concatenate()([layers.Dense(8, "tanh")(x), layers.Dense(4)(x)]),
        2,
    ),
    "a branch that wants zeros": (
        lambda x: layers.Concatenate()(
            [layers.Dense(8)(x), layers.Dense(4)(layers.LayerNormalization()(x))]
        ),
        1,
    ),
    "a dense layer second": (lambda x: layers.Dense(4)(layers.LayerNormalization()(x)), 0),
    "half precision": (lambda x: layers.Dense(4, dtype="mixed_bfloat16")(x), 0),
}


def model(net: Net) -> keras.Model:
    keras.utils.clear_session()
    devices.seed_everything(5)
    x = keras.Input((DIMENSION,))
    return keras.Model(x, layers.Dense(1, "sigmoid")(net(x)))


def training() -> Training:
    return Training.model_validate(
        {
            "optimizer": {"RMSprop": {"learning_rate": 0.01}},
            "loss": "binary_crossentropy",
            "metrics": ["accuracy"],
            "epochs": 3,
            "batch_size": BATCH,
        }
    )


class Heard(Observer):
    """An observer that keeps the history."""

    def __init__(self) -> None:
        self.history = History()

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        self.history.append(logs)


def trained(net: Net, *, as_words: bool, fold: Fold = FOLD) -> tuple[History, keras.Model]:
    made = model(net)
    compile_model(made, training())
    if as_words:
        for layer in sparse_layers(made):
            enable_sparse(layer)
    evaluator = Evaluator(made, preparation())
    trainer = Trainer(made, preparation(), training(), engine="graph", evaluator=evaluator)
    heard: Any = Heard()
    trainer.train(rows(as_words=as_words), fold, seed=0, callbacks=[], observer=heard)
    return heard.history, made


@pytest.mark.parametrize("name", NETS)
def test_the_layers_that_take_them_are_known(name: str) -> None:
    net, many = NETS[name]

    assert len(sparse_layers(model(net))) == many


DAILY = {"a dense layer first", "a branch that wants zeros"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in DAILY else pytest.mark.slow)
        for name, (_, many) in NETS.items()
        if many
    ],
)
def test_training_on_words_is_training_on_rows(name: str) -> None:
    """Same loss and metrics per epoch and same weights, up to the rounding of float32."""
    net, _ = NETS[name]
    expected, by_rows = trained(net, as_words=False)
    found, by_words = trained(net, as_words=True)

    assert len(found) == 3
    for metric, values in expected.epochs.items():
        assert found.epochs[metric] == pytest.approx(values, rel=1e-4, abs=1e-5), metric
    for weight, known in zip(by_words.get_weights(), by_rows.get_weights(), strict=True):
        assert np.allclose(weight, known, rtol=1e-3, atol=1e-4)


def test_training_on_words_repeats_to_the_bit() -> None:
    net, _ = NETS["a dense layer first"]
    [first, one], [second, other] = (trained(net, as_words=True) for _ in range(2))

    assert first.epochs == second.epochs
    assert all(map(np.array_equal, one.get_weights(), other.get_weights()))


def test_a_model_that_learnt_from_words_takes_rows_as_ever(tmp_path: Any) -> None:
    """At once, and from a file that knows of no words."""
    _, made = trained(NETS["a dense layer first"][0], as_words=True)
    by_words = Evaluator(made, preparation()).outputs(rows(as_words=True), np.arange(MANY))
    made.save(tmp_path / "model.keras")

    for each in (made, saved.read(tmp_path / "model.keras")):
        assert np.allclose(each(whole()), by_words, rtol=1e-5, atol=1e-6)
        assert type(each.layers[1]) is layers.Dense


@pytest.mark.parametrize(
    ("name", "expanded"), [("a dense layer first", 0), ("a branch that wants zeros", 1)]
)
def test_zeros_are_only_made_for_those_who_want_them(
    name: str, expanded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where batches are full; how many rows there are is asked of a last one by expanding it."""
    made, original = [], tf.raw_ops.SparseToDense

    def counted(*, sparse_values: Any, **more: Any) -> Any:
        def count(values: Array) -> Array:
            made.append(len(values))
            return values

        # A function without a state is left out of a graph that does not need what it makes.
        values = tf.numpy_function(count, [sparse_values], tf.float32, stateful=False)
        return original(sparse_values=values, **more)

    monkeypatch.setattr(tf.raw_ops, "SparseToDense", counted)
    monkeypatch.setattr("nnrun.training.evaluate.rows_at_once", lambda shape: 32)
    trained(NETS[name][0], as_words=True, fold=FULL)

    # Before training one row is tested, of which there is no full batch.
    assert (len(made) > 1) == bool(expanded)


def test_only_rows_of_few_words_are_kept_as_words() -> None:
    """One for 32 columns at most, and nothing done to them after."""
    single = Sequences(np.zeros(100, np.int32), np.arange(101))
    wide, narrow = (
        preprocessing.Preparation(
            (preprocessing.FittedMultiHot(MultiHot(dimension=dimension), (dimension,)),),
            (dimension,),
            "float32",
            stored_expanded=False,
        )
        for dimension in (32, 31)
    )

    assert wide.is_sparse(single)
    assert not narrow.is_sparse(single)
    assert not wide.is_sparse(np.zeros((3, 32)))
    assert not preprocessing.Preparation(wide.steps * 2, (32,), "float32", False).is_sparse(single)
    assert wide.distinct(single).lengths().tolist() == [1] * 100
