"""`engine: auto` chooses by the rule in its docstring, from the experiment alone."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from nnrun.models.build import build
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.training import loop

VECTOR, SEQUENCE, PICTURE = (64,), (16, 8), (8, 8, 3)


def training(**more: Any) -> Training:
    return Training.model_validate({"optimizer": "sgd", "loss": "mse", "epochs": 1, **more})


def model(*layers: Any, shape: tuple[int, ...] = VECTOR) -> keras.Model:
    components = [
        Component(name=name, arguments=arguments)
        for name, arguments in (next(iter(layer.items())) for layer in layers)
    ]
    return build(components, shape)


DENSE: dict[str, Any] = {"Dense": {"units": 64}}


@pytest.mark.parametrize("said", ["xla", "graph", "fit"])
def test_what_the_spec_says_is_taken(said: str) -> None:
    """Even against the rule: a callback per batch, and a layer that XLA is bad at."""
    conv = model({"Conv2D": {"filters": 1, "kernel_size": 3}}, shape=PICTURE)
    batchwise = [{"ModelCheckpoint": {"filepath": "x.keras", "save_freq": 10}}]

    assert loop.choose(training(engine=said, callbacks=batchwise), conv, device="cpu") == said


@pytest.mark.parametrize(
    "callback",
    [
        {"ModelCheckpoint": {"filepath": "x.keras", "save_freq": 10}},
        {"BackupAndRestore": {"backup_dir": "x", "save_freq": 10}},
        {"OrbaxCheckpoint": {"directory": "x", "save_freq": 10}},
        {"TensorBoard": {"update_freq": "batch"}},
        {"TensorBoard": {"update_freq": 10}},
        {"TensorBoard": {"profile_batch": 2}},
        {"TensorBoard": {"profile_batch": "2,4"}},
    ],
    ids=str,
)
def test_a_callback_that_works_per_batch_needs_fit(callback: dict[str, Any]) -> None:
    """The compiled loop calls nobody between two batches."""
    assert loop.choose(training(callbacks=[callback]), model(DENSE), device="cpu") == "fit"


@pytest.mark.parametrize(
    "callback",
    [
        {"ModelCheckpoint": {"filepath": "x.keras", "save_freq": "epoch"}},
        {"TensorBoard": {"update_freq": "epoch", "profile_batch": 0}},
        *(
            {name: {}}
            for name in catalogue.names("callbacks")
            if name not in {"LearningRateScheduler"}
        ),
    ],
    ids=str,
)
def test_a_callback_that_works_per_epoch_does_not(callback: dict[str, Any]) -> None:
    """That is what every callback of Keras does unless told otherwise."""
    assert loop.choose(training(callbacks=[callback]), model(DENSE), device="cpu") == "xla"


def test_every_callback_with_a_frequency_is_known() -> None:
    """A new one in Keras must not be left out silently."""
    frequencies = {"save_freq", "update_freq"}
    with_one = {
        name
        for name in catalogue.names("callbacks")
        if frequencies & set(catalogue.entry("callbacks", name).arguments)  # type: ignore[union-attr]
    }

    assert with_one == set(loop._PER_BATCH)


@pytest.mark.parametrize(
    ("layers", "shape", "batch_size", "chosen"),
    [
        pytest.param([DENSE, {"Dense": {"units": 1}}], VECTOR, 32, "xla", id="small and dense"),
        pytest.param([DENSE], VECTOR, 40_000, "xla", id="just small enough"),
        pytest.param([DENSE], VECTOR, 41_000, "graph", id="a step too large"),
        pytest.param([DENSE], (4096,), 1, "xla", id="just narrow enough"),
        pytest.param([DENSE], (4097,), 1, "graph", id="a row too wide"),
        pytest.param([DENSE, {"Dropout": {"rate": 0.5}}], VECTOR, 625, "xla", id="little dropout"),
        pytest.param([DENSE, {"Dropout": {"rate": 0.5}}], VECTOR, 626, "graph", id="much dropout"),
        pytest.param([{"LSTM": {"units": 4}}], SEQUENCE, 32, "xla", id="recurrent"),
        pytest.param(
            [{"LSTM": {"units": 4, "dropout": 0.5}}], SEQUENCE, 1300, "graph", id="dropout inside"
        ),
        pytest.param([{"LSTM": {"units": 64}}], SEQUENCE, 700, "graph", id="a long recurrent step"),
        pytest.param(
            [{"Conv2D": {"filters": 1, "kernel_size": 3}}, {"Flatten": {}}],
            PICTURE,
            1,
            "graph",
            id="convolution",
        ),
        pytest.param([{"MaxPooling1D": {}}], SEQUENCE, 1, "graph", id="pooling"),
    ],
)
def test_the_rule(layers: list[Any], shape: tuple[int, ...], batch_size: int, chosen: str) -> None:
    found = loop.choose(training(batch_size=batch_size), model(*layers, shape=shape), device="cpu")

    assert found == chosen


@pytest.mark.parametrize("layers", [[DENSE], [DENSE, {"Dropout": {"rate": 0.5}}]], ids=len)
def test_on_a_gpu_the_size_of_a_step_does_not_matter(layers: list[Any]) -> None:
    """There XLA uses the whole device and draws random numbers in parallel."""
    found = loop.choose(training(batch_size=10_000), model(*layers), device="gpu:0")

    assert found == "xla"


def test_the_work_of_a_dense_layer_is_six_per_weight_and_row() -> None:
    """The rule of thumb that `XLA_FLOPS` was measured with."""
    assert loop.step_flops(model(DENSE), 10) == 6 * 10 * (64 * 64 + 64)


def test_a_recurrent_layer_works_at_every_time_step() -> None:
    """Though its output does not show them."""
    lstm = model({"LSTM": {"units": 4}}, shape=SEQUENCE)

    assert loop.step_flops(lstm, 1) == 6 * 16 * lstm.count_params()


def test_every_layer_for_xla_is_one_of_keras() -> None:
    """A misspelt name would never be chosen."""
    assert set(catalogue.names("layers")) | {"InputLayer"} >= loop.XLA_LAYERS
