"""Layers of a spec are built and train, or are refused with their place."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nnrun.data.preprocessing import Preparation
from nnrun.errors import IncompatibleSpec
from nnrun.models.build import build, reset_keras, summary
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.training import devices, loop
from nnrun.training.compile import compile_model
from nnrun.training.loop import Trainer
from nnrun.training.rows import resident
from nnrun.types import Fold, Logs, Observer
from tests.models.layers import (
    CELL,
    IMAGE,
    MERGE,
    NOT_IN_A_STACK,
    QUICK,
    SEQUENCE,
    STACKABLE,
    TOKENS,
    VECTOR,
    WORDS,
    component,
    shape,
    tail,
)


class LastEpoch(Observer):
    """An observer that keeps the last epoch."""

    logs: Logs = {}  # noqa: RUF012

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        self.logs = logs


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in STACKABLE],
)
def test_every_layer_is_built_and_trains(name: str) -> None:
    """One step and one validation, with the default engine."""
    keras.utils.clear_session()
    devices.seed_everything(0)
    rng = np.random.default_rng(0)
    dtype = "int32" if name in WORDS else "float32"
    x = rng.integers(0, 10, (8, *shape(name))) if name in WORDS else rng.random((8, *shape(name)))
    model = build([component(name), *tail(name)], shape(name), dtype=dtype)
    training = Training(optimizer="sgd", loss="mse", epochs=1, batch_size=4)
    compile_model(model, training)
    preparation = Preparation((), shape(name), dtype, stored_expanded=True)
    engine = loop.choose(training, model, device="cpu")
    observer, trainer = LastEpoch(), Trainer(model, preparation, training, engine=engine)
    rows = resident(x.astype(dtype), rng.random((8, 1)).astype(np.float32))
    trainer.train(
        rows, Fold(np.arange(4), np.arange(4, 8)), seed=0, callbacks=[], observer=observer
    )

    assert np.isfinite(list(observer.logs.values())).all()


@pytest.mark.parametrize(
    "name", sorted(name for name, why in NOT_IN_A_STACK.items() if why.startswith((MERGE, CELL)))
)
def test_a_layer_with_several_inputs_is_refused(name: str) -> None:
    """With its place and Keras's reason on one line."""
    with pytest.raises(IncompatibleSpec) as caught:
        build([Component(name="ReLU"), component(name)], SEQUENCE)

    assert (caught.value.code, caught.value.path) == ("NN124", ("model", 1))
    assert caught.value.message.startswith(f"{name} cannot follow an output of shape {SEQUENCE}: ")
    assert "\n" not in caught.value.message
    assert "Exception encountered" not in caught.value.message


@pytest.mark.parametrize("before", [[], [Component(name="ReLU")]], ids=len)
def test_a_layer_that_keras_would_drop_is_refused(before: list[Component]) -> None:
    with pytest.raises(IncompatibleSpec) as caught:
        build([*before, Component(name="Equalization")], IMAGE)

    assert caught.value.args == (
        "NN124",
        ("model", len(before)),
        "Keras would silently leave Equalization out of the model",
    )


CONV = Component(name="Conv2D", arguments={"filters": 2, "kernel_size": 3})
NEGATIVE = Component(name="Dense", arguments={"units": -1})
RESHAPE = Component(name="Reshape", arguments={"target_shape": [4, 2]})
UNKNOWN = Component(name="Dense", arguments={"units": 1, "wings": 2})


@pytest.mark.parametrize(
    "layers", [[CONV], [NEGATIVE], [RESHAPE], [Component(name="ReLU"), UNKNOWN]]
)
def test_an_error_of_keras_is_reported_at_the_layer(layers: list[Component]) -> None:
    with pytest.raises(IncompatibleSpec) as caught:
        build(layers, VECTOR)

    assert (caught.value.code, caught.value.path) == ("NN124", ("model", len(layers) - 1))
    assert caught.value.message.startswith(
        f"{layers[-1].name} cannot follow an output of shape (6,): "
    )
    assert "\n" not in caught.value.message


def test_two_layers_of_one_name_are_refused() -> None:
    """Keras notices it only once the model is complete."""
    same = Component(name="Dense", arguments={"units": 3, "name": "same"})
    with pytest.raises(IncompatibleSpec) as caught:
        build([same, same], VECTOR)

    assert (caught.value.code, caught.value.path) == ("NN124", ("model",))
    assert 'The name "same" is used 2 times in the model' in caught.value.message


def test_the_input_has_the_dtype_of_the_rows() -> None:
    """Word indices are int32, for an embedding."""
    model = build([component("Embedding")], TOKENS, dtype="int32")

    assert (model.input.dtype, model.input_shape) == ("int32", (None, *TOKENS))


def test_the_summary_counts_the_parameters() -> None:
    text = summary(build([Component(name="Dense", arguments={"units": 10})], VECTOR))

    assert "Total params: 70" in text
    assert max(map(len, text.splitlines())) <= 100


def trace_step() -> weakref.ref[Any]:
    """The graph of a training step of a model that is not used any more."""
    model = build([Component(name="Dense", arguments={"units": 1})], VECTOR)
    model.compile(loss="mse")
    batch = (tf.zeros((2, *VECTOR)), tf.zeros((2, 1)))
    step = tf.function(lambda: model.train_step(batch))
    return weakref.ref(step.get_concrete_function().graph)


def test_the_graph_of_an_earlier_training_is_freed() -> None:
    """Many runs in one process must not need more and more memory."""
    graph = trace_step()
    reset_keras("float32")
    gc.collect()

    assert graph() is None
