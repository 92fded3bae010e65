"""Multi-hot vectors train the same model as sparse and as dense rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
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
from nnrun.types import Array, Fold, History, Sequences
from tests.training.trained import EpochLog

DIMENSION, MANY, BATCH = 603, 150, 32
# Three full batches and one of 24 rows.
FOLD = Fold(np.arange(120), np.arange(120, MANY))
FULL = Fold(np.arange(96), np.arange(96, 128))


@cache
def texts() -> Sequences:
    """Texts of different length with repeated words, the first and the last empty."""
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
    """Whether a text has one of the commonest words."""
    return dense_rows()[:, 2:5].max(axis=1).astype(np.float32)[:, None]


@cache
def dense_rows() -> Array:
    return np.asarray(preparation().expand(preparation().store(texts()), np, ({},)))


def rows(*, sparse: bool) -> Rows:
    prepared = preparation()
    stored = prepared.distinct(texts()) if sparse else prepared.store(texts())
    return resident(stored, labels(), prepared.state)


@pytest.mark.parametrize("traced", [False, True])
def test_sparse_rows_expand_to_the_same_rows(traced: bool) -> None:
    """In any order, one twice, and if their number is unknown."""
    chosen = np.array([MANY - 1, 3, 0, 3, 77], np.int32)

    def expanded(indices: Any) -> Any:
        return inputs(preparation(), rows(sparse=True).tensors, indices)

    traced_function = tf.function(expanded, input_signature=[tf.TensorSpec((None,), tf.int32)])
    result = (traced_function if traced else expanded)(tf.constant(chosen))

    assert np.array_equal(result, dense_rows()[chosen])


@pytest.mark.parametrize("units", [1, 16, 46])
def test_the_sparse_product_and_its_gradient_equal_the_dense_ones(units: int) -> None:
    kernel = tf.Variable(np.random.default_rng(1).normal(size=(DIMENSION, units)), dtype=tf.float32)
    weights = np.random.default_rng(2).normal(size=(MANY, units)).astype(np.float32)
    x = inputs(preparation(), rows(sparse=True).tensors, tf.range(MANY))
    with tf.GradientTape() as tape:
        product = sparse_product(x._sparse_rows, kernel)
        loss = tf.reduce_sum(product * weights)

    assert np.allclose(product, dense_rows() @ kernel.numpy(), rtol=1e-5, atol=1e-5)
    gradient = tape.gradient(loss, kernel)
    assert np.allclose(gradient, dense_rows().T @ weights, rtol=1e-5, atol=1e-5)


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
    "a branch with dense rows": (
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


TRAINING = Training.model_validate(
    {
        "optimizer": {"RMSprop": {"learning_rate": 0.01}},
        "loss": "binary_crossentropy",
        "metrics": ["accuracy"],
        "epochs": 2,
        "batch_size": BATCH,
    }
)


def trained(net: Net, *, sparse: bool, fold: Fold = FOLD) -> tuple[History, keras.Model]:
    built, log = model(net), EpochLog()
    compile_model(built, TRAINING)
    for layer in sparse_layers(built) if sparse else ():
        enable_sparse(layer)
    trainer = Trainer(built, preparation(), TRAINING, engine="graph")
    trainer.train(rows(sparse=sparse), fold, seed=0, callbacks=[], observer=log)
    return log.history, built


@pytest.mark.parametrize("name", NETS)
def test_the_dense_layers_of_the_input_take_sparse_rows(name: str) -> None:
    net, many = NETS[name]

    assert len(sparse_layers(model(net))) == many


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "a branch with dense rows" else pytest.mark.slow)
        for name, (_, many) in NETS.items()
        if many
    ],
)
def test_sparse_rows_train_the_same_model(name: str) -> None:
    """Same loss and metrics per epoch and same weights, up to the rounding of float32."""
    net, _ = NETS[name]
    expected, dense_model = trained(net, sparse=False)
    history, sparse_model = trained(net, sparse=True)

    assert len(history) == 2
    for metric, values in expected.epochs.items():
        assert history.epochs[metric] == pytest.approx(values, rel=1e-4, abs=1e-5), metric
    for weight, expected_weight in zip(
        sparse_model.get_weights(), dense_model.get_weights(), strict=True
    ):
        assert np.allclose(weight, expected_weight, rtol=1e-3, atol=1e-4)


def test_a_model_of_sparse_rows_takes_dense_rows_and_repeats_to_the_bit(tmp_path: Path) -> None:
    """At once, and after it is saved and loaded."""
    [first, one], [second, other] = (
        trained(NETS["a dense layer first"][0], sparse=True) for _ in range(2)
    )
    assert first.epochs == second.epochs
    assert all(map(np.array_equal, one.get_weights(), other.get_weights()))

    outputs = Evaluator(one, preparation()).outputs(rows(sparse=True), np.arange(MANY))
    one.save(tmp_path / "model.keras")
    for dense in (one, saved.read(tmp_path / "model.keras")):
        assert np.allclose(dense(dense_rows()), outputs, rtol=1e-5, atol=1e-6)
        assert type(dense.layers[1]) is layers.Dense


@pytest.mark.parametrize(
    ("name", "expanded"),
    [
        ("a dense layer first", 0),
        pytest.param("a branch with dense rows", 1, marks=pytest.mark.slow),
    ],
)
def test_dense_rows_are_computed_only_for_layers_that_need_them(
    name: str, expanded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If batches are full: Keras needs the number of rows of a smaller last one."""
    computed, original = [], tf.raw_ops.SparseToDense

    def counted(*, sparse_values: Any, **more: Any) -> Any:
        def count(values: Array) -> Array:
            computed.append(len(values))
            return values

        # A graph omits a stateless function whose result it does not need.
        values = tf.numpy_function(count, [sparse_values], tf.float32, stateful=False)
        return original(sparse_values=values, **more)

    monkeypatch.setattr(tf.raw_ops, "SparseToDense", counted)
    monkeypatch.setattr("nnrun.training.evaluate.rows_at_once", lambda shape: 32)
    trained(NETS[name][0], sparse=True, fold=FULL)

    # One row is evaluated twice before training, first to build the metrics.
    assert (len(computed) > 2) == bool(expanded)


def test_only_rows_of_few_words_are_sparse() -> None:
    """At most one word per 32 columns, and no further step."""
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
