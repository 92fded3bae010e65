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


@pytest.mark.parametrize("engine", ["xla", "graph", "fit"])
def test_the_engine_of_the_spec_is_used(engine: str) -> None:
    """Even against the rule, with a callback per batch and a convolution."""
    conv = model({"Conv2D": {"filters": 1, "kernel_size": 3}}, shape=PICTURE)
    batchwise = [{"ModelCheckpoint": {"filepath": "x.keras", "save_freq": 10}}]

    assert loop.choose(training(engine=engine, callbacks=batchwise), conv, device="cpu") == engine


@pytest.mark.parametrize(
    ("callback", "engine"),
    [
        ({"ModelCheckpoint": {"filepath": "x.keras", "save_freq": 10}}, "fit"),
        ({"BackupAndRestore": {"backup_dir": "x", "save_freq": 10}}, "fit"),
        ({"OrbaxCheckpoint": {"directory": "x", "save_freq": 10}}, "fit"),
        ({"TensorBoard": {"update_freq": "batch"}}, "fit"),
        ({"TensorBoard": {"update_freq": 10}}, "fit"),
        ({"TensorBoard": {"profile_batch": 2}}, "fit"),
        ({"TensorBoard": {"profile_batch": "2,4"}}, "fit"),
        ({"ModelCheckpoint": {"filepath": "x.keras", "save_freq": "epoch"}}, "xla"),
        ({"TensorBoard": {"update_freq": "epoch", "profile_batch": 0}}, "xla"),
        *(({name: {}}, "xla") for name in catalogue.names("callbacks") if "Scheduler" not in name),
    ],
    ids=str,
)
def test_a_callback_per_batch_needs_fit(callback: dict[str, Any], engine: str) -> None:
    """The compiled loop calls callbacks between epochs only."""
    assert loop.choose(training(callbacks=[callback]), model(DENSE), device="cpu") == engine


def test_every_callback_with_a_frequency_is_known() -> None:
    """Also one that is new in Keras."""
    frequencies = {"save_freq", "update_freq"}
    with_one = {
        name
        for name in catalogue.names("callbacks")
        if frequencies & set(catalogue.entry("callbacks", name).arguments)  # type: ignore[union-attr]
    }

    assert with_one == set(loop._FREQUENCIES)


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
    net = model(*layers, shape=shape)

    assert loop.choose(training(batch_size=batch_size), net, device="cpu") == chosen


@pytest.mark.parametrize("layers", [[DENSE], [DENSE, {"Dropout": {"rate": 0.5}}]], ids=len)
def test_on_a_gpu_the_size_of_a_step_does_not_matter(layers: list[Any]) -> None:
    """There XLA uses the whole device and draws random numbers in parallel."""
    net = model(*layers)

    assert loop.choose(training(batch_size=10_000), net, device="gpu:0") == "xla"


def test_a_step_takes_six_operations_per_weight_row_and_time_step() -> None:
    """The rule of thumb that `XLA_FLOPS` was measured with."""
    lstm = model({"LSTM": {"units": 4}}, shape=SEQUENCE)

    assert loop.step_flops(model(DENSE), 10) == 6 * 10 * (64 * 64 + 64)
    assert loop.step_flops(lstm, 1) == 6 * 16 * lstm.count_params()


def test_every_layer_for_xla_exists() -> None:
    assert set(catalogue.names("layers")) | {"InputLayer"} >= loop.XLA_LAYERS
