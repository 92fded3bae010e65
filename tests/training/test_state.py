"""A resumed training ends with the same bits as one that never stopped."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.spec import catalogue
from nnrun.spec.training import Training
from nnrun.training import callbacks, compiled, state
from nnrun.training.compile import compile_model
from nnrun.training.loop import Engine
from nnrun.training.state import State, variables
from nnrun.types import History
from tests.training.trained import functional, train

EPOCHS, STOP = 7, 3
SLOW_START = {
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 1, "decay_rate": 0.8}
}
# Arguments with which each callback acts before and after the stop.
CALLBACKS: dict[str, dict[str, Any]] = {
    "BackupAndRestore": {"backup_dir": "backup"},
    "CSVLogger": {"filename": "log.csv"},
    "EarlyStopping": {"monitor": "val_loss", "patience": 2, "restore_best_weights": True},
    "LearningRateScheduler": {"schedule": SLOW_START},
    "ModelCheckpoint": {"filepath": "best.keras", "save_best_only": True},
    "ReduceLROnPlateau": {"monitor": "loss", "patience": 1, "cooldown": 1, "min_delta": 0.2},
    "SwapEMAWeights": {"swap_on_epoch": True},
    "TensorBoard": {},
    "TerminateOnNaN": {},
}
# They have no state.
STATELESS = {"RemoteMonitor", "OrbaxCheckpoint", "LambdaCallback"}


@pytest.fixture(autouse=True)
def one_epoch_per_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs that are trained in one call have one state, after the last."""
    monkeypatch.setattr(compiled, "MOST_EPOCHS", 1)


def spec(*named: dict[str, Any], **more: Any) -> Training:
    defaults = {"optimizer": {"Adam": {"learning_rate": 0.1}}, "loss": "mse", "metrics": ["mae"]}
    rest = {"epochs": EPOCHS, "batch_size": 8, "callbacks": named}
    return Training.model_validate({**defaults, **rest, **more})


def stack() -> list[Any]:
    return [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]


@dataclass
class Trained:
    """Results of a training: history, final variables, and after each epoch state and file sizes."""

    history: History
    variables: list[bytes]
    states: dict[int, State]
    sizes: dict[int, dict[str, int]]


def trained(
    training: Training,
    engine: Engine,
    folder: Path,
    *,
    layers: Callable[[], Sequence[keras.Layer]] = stack,
    start: State | None = None,
) -> Trained:
    folder.mkdir(exist_ok=True)
    keras.config.set_dtype_policy(training.precision)
    model = functional((3,), layers)
    states: dict[int, State] = {}
    sizes: dict[int, dict[str, int]] = {}

    def save_state(capture: Callable[[], State]) -> None:
        captured = capture()
        states[captured.epochs] = captured
        names = callbacks.appended_files(training.callbacks)
        sizes[captured.epochs] = {name: (folder / name).stat().st_size for name in names}

    built = callbacks.build(training.callbacks, folder) + callbacks.restore_best(training)
    log = train(model, training, engine=engine, callbacks=built, start=start, save_state=save_state)
    keras.config.set_dtype_policy("float32")
    end = [np.asarray(keras.ops.convert_to_numpy(value)).tobytes() for value in variables(model)]
    return Trained(log.history, end, states, sizes)


def check_resumes(training: Training, engine: Engine, tmp_path: Path, **more: Any) -> None:
    """Stopped after an epoch and not at all: history and all variables are the same."""
    folder = tmp_path / "stopped"
    whole = trained(training, engine, tmp_path / "whole", **more)
    assert len(whole.history) > STOP
    if training.callbacks:
        # For their files.
        trained(training.model_copy(update={"epochs": STOP}), engine, folder, **more)
    callbacks.resume_callbacks(
        callbacks.build(training.callbacks, folder), folder, whole.sizes[STOP]
    )
    rest = trained(training, engine, folder, start=whole.states[STOP], **more)

    for name, values in whole.history.epochs.items():
        assert rest.history.epochs[name] == values[STOP:]
    assert rest.variables == whole.variables


def test_all_callbacks_of_keras_are_tested() -> None:
    entries = {catalogue.canonical_name("callbacks", name) for name in catalogue.names("callbacks")}

    assert entries - STATELESS == set(CALLBACKS)


@pytest.mark.parametrize(
    ("names", "engine"),
    [
        # Those with the most state.
        (("CSVLogger", "EarlyStopping", "ReduceLROnPlateau"), "graph"),
        *(
            pytest.param((name,), engine, marks=pytest.mark.slow)
            for name in sorted(CALLBACKS)
            for engine in ("xla", "graph", "fit")
        ),
    ],
)
def test_the_state_of_every_callback_is_restored(
    names: tuple[str, ...], engine: Engine, tmp_path: Path
) -> None:
    """Patience, best weights, cooldown and the like."""
    if "TensorBoard" in names and importlib.util.find_spec("tensorboard") is None:
        pytest.skip("TensorBoard is not installed")
    averaging = {"optimizer": {"SGD": {"learning_rate": 0.1, "use_ema": True}}}
    more = averaging if "SwapEMAWeights" in names else {}
    check_resumes(spec(*({name: CALLBACKS[name]} for name in names), **more), engine, tmp_path)


@pytest.mark.parametrize(
    "engine", ["graph", *(pytest.param(name, marks=pytest.mark.slow) for name in ("xla", "fit"))]
)
def test_the_weights_to_restore_survive_a_stop(engine: Engine, tmp_path: Path) -> None:
    """The best epoch is before the stop."""
    growing = {
        "ExponentialDecay": {"initial_learning_rate": 0.2, "decay_steps": 4, "decay_rate": 1.1}
    }
    training = spec(optimizer={"SGD": {"learning_rate": growing}}, restore="best")
    check_resumes(training, engine, tmp_path)
    losses = trained(training, engine, tmp_path).history.epochs["val_loss"]

    assert np.argmin(losses) < STOP


def test_a_training_that_a_callback_has_ended_is_not_continued(tmp_path: Path) -> None:
    """After a kill between the last epoch and the end, only the best weights are restored."""
    stopping = {"monitor": "mae", "mode": "max", "patience": 1, "restore_best_weights": True}
    training = spec({"EarlyStopping": stopping})
    whole = trained(training, "graph", tmp_path)
    last = whole.states[max(whole.states)]
    rest = trained(training, "graph", tmp_path, start=last)

    assert len(whole.history) < EPOCHS
    assert last.stopped
    assert len(rest.history) == 0
    assert rest.variables == whole.variables


OPTIMIZERS = sorted(
    {catalogue.canonical_name("optimizers", name) for name in catalogue.names("optimizers")}
    - {"LossScaleOptimizer"}
)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_of_every_optimizer_is_restored(name: str, tmp_path: Path) -> None:
    """Moments, number of steps, accumulated gradients and averaged weights."""
    arguments = {"use_ema": True, "gradient_accumulation_steps": 3}
    try:
        keras.optimizers.get({"class_name": name, "config": arguments})
    except (TypeError, ValueError):
        arguments = {}
    check_resumes(spec(optimizer={name: arguments}), "graph", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_resumes(precision: str, tmp_path: Path) -> None:
    """The scale of the loss is part of the optimizer's state."""
    check_resumes(spec(precision=precision), "graph", tmp_path)


LAYERS: dict[str, Callable[[], Any]] = {
    "BatchNormalization": lambda: keras.layers.BatchNormalization(),
    "GaussianNoise": lambda: keras.layers.GaussianNoise(0.5),
    "AlphaDropout": lambda: keras.layers.AlphaDropout(0.3),
    "SpectralNormalization": lambda: keras.layers.SpectralNormalization(keras.layers.Dense(4)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("engine", ["graph", "fit"])
def test_the_state_of_layers_is_restored(name: str, engine: Engine, tmp_path: Path) -> None:
    """Moving averages, seeds, singular vectors: variables that no gradient changes."""

    def layers() -> list[Any]:
        return [keras.layers.Dense(8), LAYERS[name](), keras.layers.Dense(1)]

    check_resumes(spec(), engine, tmp_path, layers=layers)


def compiled_model(units: int) -> keras.Model:
    model = functional((3,), lambda: [keras.layers.Dense(units)])
    compile_model(model, spec())
    return model


def test_the_state_of_another_model_is_refused() -> None:
    states = state.capture(compiled_model(1), (), epochs=2)

    with pytest.raises(ValueError, match=r"of another model, or of other callbacks$"):
        state.restore(states, compiled_model(2), ())


def test_a_state_has_no_path(tmp_path: Path) -> None:
    """A run folder may be moved before its run is resumed."""
    names = ("BackupAndRestore", "CSVLogger", "EarlyStopping", "ModelCheckpoint")
    built = callbacks.build(spec(*({n: CALLBACKS[n]} for n in names)).callbacks, tmp_path)
    captured = state.capture(compiled_model(1), built, epochs=2)
    values = [value for attributes in captured.callbacks for value in attributes.values()]

    assert values
    assert not [value for value in values if isinstance(value, str)]
