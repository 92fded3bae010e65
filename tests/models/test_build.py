"""Every layer of Keras that can stand in a stack is built and trains, or is refused in words."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nnrun.errors import Misfit
from nnrun.models.build import begin_anew, build, summary
from nnrun.prepare import Preparation
from nnrun.records import Fold, Logs
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.training import engine, seeding
from nnrun.training.compile import compile_model
from nnrun.training.evaluate import Evaluator
from nnrun.training.fit import Trainer
from nnrun.training.rows import resident

VECTOR, SEQUENCE, PICTURE, VOLUME = (6,), (8, 3), (8, 8, 3), (6, 6, 6, 2)
TOKENS, SIGNAL, WAVE = (5,), (64, 1), (64,)
FILMS = {"1D": (3, 8, 2), "2D": (3, 6, 6, 2), "3D": (3, 4, 4, 4, 2)}
DENSE = {"Dense": {"units": 3}}

MERGE = "merges several inputs, and a stack has one"
CELL = "is one step of a recurrent layer, and stands inside RNN"
STRINGS = "takes texts, and a data set has numbers"
# Layers that no stack can hold, and why.
NOT_IN_A_STACK = {
    **dict.fromkeys(
        "Add Average Concatenate Dot Maximum Minimum Multiply Subtract Attention "
        "AdditiveAttention MultiHeadAttention GroupQueryAttention HashedCrossing".split(),
        MERGE,
    ),
    **dict.fromkeys("LSTMCell GRUCell SimpleRNNCell StackedRNNCells".split(), CELL),
    **dict.fromkeys("StringLookup TextVectorization".split(), STRINGS),
    "Equalization": "Keras leaves it out of the model when it stands in one",
    "MaxNumBoundingBoxes": "takes boxes by name, and a row is one array",
    "RandomCrop": "Keras leaves rows uncropped when it evaluates, so the next layer refuses them",
}
PICTURES = {
    *("AugMix", "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix"),
    *("MixUp", "RandAugment", "Solarization", "GroupNormalization", "Resizing", "CenterCrop"),
}
WORDS = {"Embedding", "ReversibleEmbedding", "CategoryEncoding", "Hashing", "IntegerLookup"}
SEQUENCES = {
    *("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "TimeDistributed", "Masking", "Permute"),
}
# What an argument that a layer cannot do without may be.
NEEDED: dict[str, Any] = {
    "filters": 2,
    "kernel_size": 3,
    "output_size": 2,
    "pool_size": 2,
    "units": 3,
    "factor": 0.2,
    "rate": 0.2,
    "stddev": 0.1,
    "scale": 0.5,
    "n": 3,
    "height": 4,
    "width": 4,
    "height_factor": 0.2,
    "width_factor": 0.2,
    "input_dim": 10,
    "output_dim": 3,
    "num_bins": 5,
    "activation": "relu",
    "dims": [2, 1],
    "target_shape": [3, 2],
    "layer": DENSE,
    "cell": {"LSTMCell": {"units": 3}},
    "layers": [DENSE, {"ReLU": {}}],
    "equation": "ab,bc->ac",
    "output_shape": 3,
}
# Where the defaults of a layer do not suit so small an input.
CHOSEN: dict[str, dict[str, Any]] = {
    "Bidirectional": {"layer": {"LSTM": {"units": 3}}},
    "CategoryEncoding": {"num_tokens": 10},
    "Discretization": {"bin_boundaries": [0.0, 1.0]},
    "GroupNormalization": {"groups": 3},
    "IntegerLookup": {"vocabulary": [1, 2, 3]},
    "MelSpectrogram": {
        "fft_length": 16,
        "sequence_stride": 8,
        "num_mel_bins": 4,
        "sampling_rate": 1000,
        "max_freq": 400.0,
    },
    "Normalization": {"mean": 0.0, "variance": 1.0},
    "RandomPosterization": {"factor": 4},
    "STFTSpectrogram": {"frame_length": 16, "frame_step": 8, "fft_length": 16},
}
SHAPES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(PICTURES, PICTURE),
    **dict.fromkeys(WORDS, TOKENS),
    **dict.fromkeys(SEQUENCES, SEQUENCE),
    "MelSpectrogram": WAVE,
    "STFTSpectrogram": SIGNAL,
}
QUICK = {"Dense", "MaxPooling2D", "Embedding", "RandomFlip", "TimeDistributed", "Pipeline"}
LAYERS = sorted({catalogue.meaning("layers", name) for name in catalogue.names("layers")})
STACKABLE = [name for name in LAYERS if name not in NOT_IN_A_STACK]


def component(name: str) -> Component:
    entry = catalogue.entry("layers", name)
    assert entry is not None
    required = [each.name for each in entry.arguments.values() if each.required]
    arguments = CHOSEN.get(name) or {argument: NEEDED[argument] for argument in required}
    return Component(name=name, arguments=arguments)


def shape(name: str) -> tuple[int, ...]:
    """A small input of the kind that the layer takes."""
    sizes = {"1D": SEQUENCE, "2D": PICTURE, "3D": VOLUME}
    found = FILMS if name.startswith("ConvLSTM") else sizes
    by_name = [found[dimensions] for dimensions in found if dimensions in name]
    by_name += [PICTURE] if name.startswith("Random") else []
    return SHAPES.get(name, by_name[0] if by_name else VECTOR)


class Silent:
    """An observer that keeps the last epoch."""

    logs: Logs = {}  # noqa: RUF012

    def stage(self, text: str) -> None: ...

    def run_began(self, path: Path) -> None: ...

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None: ...

    def steps_done(self, step: int) -> None: ...

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        self.logs = logs


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in STACKABLE],
)
def test_every_layer_is_built_and_trains(name: str) -> None:
    """One step and one validation, by the engine that the rule chooses."""
    keras.utils.clear_session()
    seeding.seed_everything(0)
    rng = np.random.default_rng(0)
    dtype = "int32" if name in WORDS else "float32"
    x = rng.integers(0, 10, (8, *shape(name))) if name in WORDS else rng.random((8, *shape(name)))
    tail = [Component(name="Flatten"), Component(name="Dense", arguments={"units": 1})]
    model = build([component(name), *tail], shape(name), dtype=dtype)
    training = Training(optimizer="sgd", loss="mse", epochs=1, batch_size=4)
    compile_model(model, training)
    preparation = Preparation((), shape(name), dtype, stored_expanded=True)
    chosen = engine.choose(training, model, device="cpu")
    trainer = Trainer(
        model, preparation, training, engine=chosen, evaluator=Evaluator(model, preparation)
    )
    heard = Silent()
    rows = resident(x.astype(dtype), rng.random((8, 1)).astype(np.float32))
    trainer.fit(rows, Fold(np.arange(4), np.arange(4, 8)), seed=0, callbacks=[], observer=heard)

    assert len(model.layers) == 4
    assert np.isfinite(list(heard.logs.values())).all()


def test_what_no_stack_can_hold_is_there() -> None:
    """A layer that Keras drops must not stay in the list of exceptions."""
    assert set(NOT_IN_A_STACK) <= set(LAYERS)


@pytest.mark.parametrize(
    "name", sorted(name for name, why in NOT_IN_A_STACK.items() if why in (MERGE, CELL))
)
def test_a_layer_that_a_stack_cannot_hold_is_refused(name: str) -> None:
    """By its place, with Keras's own reason on one line."""
    arguments: dict[str, Any] = {
        "Dot": {"axes": 1},
        "MultiHeadAttention": {"num_heads": 1, "key_dim": 2},
        "GroupQueryAttention": {
            "head_dim": 2,
            "num_query_heads": 2,
            "num_key_value_heads": 1,
        },
        "StackedRNNCells": {"cells": [{"LSTMCell": {"units": 3}}]},
    }
    given = arguments[name] if name in arguments else component(name).arguments
    with pytest.raises(Misfit) as caught:
        build([Component(name="ReLU"), Component(name=name, arguments=given)], SEQUENCE)

    assert (caught.value.code, caught.value.path) == ("NN124", ("model", 1))
    assert caught.value.message.startswith(f"{name} cannot follow an output of shape {SEQUENCE}: ")
    assert "\n" not in caught.value.message
    assert "Exception encountered" not in caught.value.message


@pytest.mark.parametrize("before", [[], [Component(name="ReLU")]], ids=len)
def test_a_layer_that_keras_would_drop_is_refused(before: list[Component]) -> None:
    """A model without the layer would be another experiment."""
    with pytest.raises(Misfit) as caught:
        build([*before, Component(name="Equalization")], PICTURE)

    assert caught.value.args == (
        "NN124",
        ("model", len(before)),
        "Keras would leave Equalization out of the model without a word",
    )


@pytest.mark.parametrize(
    ("layers", "index", "message"),
    [
        (
            [Component(name="Conv2D", arguments={"filters": 2, "kernel_size": 3})],
            0,
            "Conv2D cannot follow an output of shape (6,): ",
        ),
        (
            [Component(name="Dense", arguments={"units": -1})],
            0,
            "Dense cannot follow an output of shape (6,): ",
        ),
        (
            [Component(name="ReLU"), Component(name="Dense", arguments={"units": 1, "wings": 2})],
            1,
            "Dense cannot follow an output of shape (6,): ",
        ),
        (
            [Component(name="Reshape", arguments={"target_shape": [4, 2]})],
            0,
            "Reshape cannot follow an output of shape (6,): ",
        ),
    ],
)
def test_what_keras_refuses_is_told_with_its_place(
    layers: list[Component], index: int, message: str
) -> None:
    with pytest.raises(Misfit) as caught:
        build(layers, VECTOR)

    assert (caught.value.code, caught.value.path) == ("NN124", ("model", index))
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


def test_two_layers_of_one_name_are_refused() -> None:
    """Keras notices it only once the model is complete."""
    same = Component(name="Dense", arguments={"units": 3, "name": "same"})
    with pytest.raises(Misfit) as caught:
        build([same, same], VECTOR)

    assert (caught.value.code, caught.value.path) == ("NN124", ("model",))
    assert 'The name "same" is used 2 times in the model' in caught.value.message


def test_the_model_takes_rows_as_they_are_prepared() -> None:
    """Word indices as int32, for an embedding."""
    model = build([component("Embedding")], TOKENS, dtype="int32")

    assert (model.input.dtype, model.input_shape) == ("int32", (None, *TOKENS))


def test_the_summary_counts_the_parameters() -> None:
    text = summary(build([Component(name="Dense", arguments={"units": 10})], VECTOR))

    assert "Total params: 70" in text
    assert max(map(len, text.splitlines())) <= 100


def traced_step() -> weakref.ref[Any]:
    """The graph of a training step of a model that nobody needs any more."""
    model = build([Component(name="Dense", arguments={"units": 1})], VECTOR)
    model.compile(loss="mse")
    batch = (tf.zeros((2, *VECTOR)), tf.zeros((2, 1)))
    step = tf.function(lambda: model.train_step(batch))
    return weakref.ref(step.get_concrete_function().graph)


def test_the_graph_of_an_earlier_training_does_not_stay_in_memory() -> None:
    """Or many runs in one process would take more and more of it."""
    graph = traced_step()
    begin_anew("float32")
    gc.collect()

    assert graph() is None
