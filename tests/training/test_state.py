"""A training that goes on from what it had reached ends as if it had never stopped."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.data import preprocessing
from nnrun.spec import catalogue
from nnrun.spec.training import Training
from nnrun.training import callbacks, compiled, devices, state
from nnrun.training.compile import compile_model
from nnrun.training.evaluate import Evaluator
from nnrun.training.loop import Engine, Trainer
from nnrun.training.rows import resident
from nnrun.training.state import State, variables
from nnrun.types import Array, Fold, History, Logs, Observer

EPOCHS, STOP = 7, 3
FOLD = Fold(np.arange(30), np.arange(30, 40))
X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5]).astype(np.float32)[:, None]
SLOW_START = {
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 1, "decay_rate": 0.8}
}
# Of each callback what makes it do something before and after the stop.
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
# They send or keep what they are given elsewhere, and carry nothing on.
ELSEWHERE = {"RemoteMonitor", "OrbaxCheckpoint", "LambdaCallback"}


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of epochs that are trained in one call, only the state after the last can be had."""
    monkeypatch.setattr(compiled, "MOST_EPOCHS", 1)


class Heard(Observer):
    """An observer that writes the epochs down."""

    def __init__(self) -> None:
        self.history = History()

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        self.history.append(logs)


def spec(*named: dict[str, Any], **more: Any) -> Training:
    known = {"optimizer": {"SGD": {"learning_rate": 0.1}}, "loss": "mse", "metrics": ["mae"]}
    rest = {"epochs": EPOCHS, "batch_size": 8, "callbacks": named}
    return Training.model_validate({**known, **rest, **more})


def stack() -> list[Any]:
    return [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]


def train(
    training: Training,
    engine: Engine,
    folder: Path,
    *,
    layers: Callable[[], Sequence[Any]] = stack,
    start: State | None = None,
) -> tuple[History, list[Array], dict[int, State], dict[int, dict[str, int]]]:
    """History, end, the state after each epoch, and the sizes of growing files then."""
    folder.mkdir(exist_ok=True)
    keras.utils.clear_session()
    keras.config.set_dtype_policy(training.precision)
    devices.seed_everything(3)
    inputs = outputs = keras.Input((3,))
    for layer in layers():
        outputs = layer(outputs)
    model = keras.Model(inputs, outputs)
    compile_model(model, training)
    preparation = preprocessing.fit((), X, rows=FOLD.train)
    evaluator = Evaluator(model, preparation)
    trainer = Trainer(model, preparation, training, engine=engine, evaluator=evaluator)
    listeners, heard = callbacks.build(training.callbacks, folder), Heard()
    states: dict[int, State] = {}
    sizes: dict[int, dict[str, int]] = {}

    def save_state(capture: Callable[[], State]) -> None:
        found = capture()
        states[found.epochs] = found
        growing = callbacks.appended_files(training.callbacks)
        sizes[found.epochs] = {name: (folder / name).stat().st_size for name in growing}

    trainer.train(
        resident(X, Y), FOLD, seed=0, callbacks=listeners, observer=heard, start=start, save_state=save_state
    )  # fmt: skip
    keras.config.set_dtype_policy("float32")
    end = [np.asarray(keras.ops.convert_to_numpy(each)) for each in variables(model)]
    return heard.history, end, states, sizes


def check_resumes(training: Training, engine: Engine, tmp_path: Path, **more: Any) -> None:
    """Stopped after every third epoch and not at all: history and all variables are the same."""
    history, end, states, sizes = train(training, engine, tmp_path / "whole", **more)
    assert len(history) > STOP
    train(training.model_copy(update={"epochs": STOP}), engine, tmp_path / "cut", **more)
    listeners = callbacks.build(training.callbacks, tmp_path / "cut")
    callbacks.resume_callbacks(listeners, tmp_path / "cut", sizes[STOP])
    rest, same, _, _ = train_on(training, engine, tmp_path / "cut", states[STOP], **more)

    for name, values in history.epochs.items():
        assert rest.epochs[name] == values[STOP:]
    assert [each.tobytes() for each in same] == [each.tobytes() for each in end]


def train_on(
    training: Training, engine: Engine, folder: Path, start: State, **more: Any
) -> tuple[History, list[Array], dict[int, State], dict[int, dict[str, int]]]:
    return train(training, engine, folder, start=start, **more)


def test_every_callback_is_tried() -> None:
    """One that Keras adds has to be looked at."""
    entries = {catalogue.canonical_name("callbacks", name) for name in catalogue.names("callbacks")}

    assert entries - ELSEWHERE == set(CALLBACKS)


# Those that remember most, in the engines that differ most; all others are slow tests.
QUICK = {("EarlyStopping", "fit"), ("CSVLogger", "graph")}


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow)
        for case in itertools.product(sorted(CALLBACKS), ("xla", "graph", "fit"))
    ],
)
def test_a_callback_goes_on_as_if_it_had_not_stopped(
    name: str, engine: Engine, tmp_path: Path
) -> None:
    """Patience, best weights, cooldown, and whatever else it remembers."""
    if name == "TensorBoard" and importlib.util.find_spec("tensorboard") is None:
        pytest.skip("TensorBoard is not installed")
    averaging = {"optimizer": {"SGD": {"learning_rate": 0.1, "use_ema": True}}}
    more = averaging if name == "SwapEMAWeights" else {}
    check_resumes(spec({name: CALLBACKS[name]}, **more), engine, tmp_path)


def test_a_training_that_a_callback_has_ended_is_not_trained_on(tmp_path: Path) -> None:
    """Killed between the last epoch and the end, only the end is missing: the best weights."""
    impatient = spec({"EarlyStopping": {"monitor": "mae", "mode": "max", "patience": 1,
                                        "restore_best_weights": True}})  # fmt: skip
    history, end, states, _ = train(impatient, "graph", tmp_path)
    last = states[max(states)]
    rest, same, _, _ = train(impatient, "graph", tmp_path, start=last)

    assert len(history) < EPOCHS
    assert last.stopped
    assert len(rest) == 0
    assert [each.tobytes() for each in same] == [each.tobytes() for each in end]


OPTIMIZERS = sorted(
    {catalogue.canonical_name("optimizers", name) for name in catalogue.names("optimizers")}
    - {"LossScaleOptimizer"}
)


@pytest.mark.parametrize(
    "name", [each if each == "Adam" else pytest.param(each, marks=pytest.mark.slow) for each in OPTIMIZERS]
)  # fmt: skip
def test_the_state_of_every_optimizer_is_kept(name: str, tmp_path: Path) -> None:
    """Moments, averages and the number of steps; gathered gradients and averaged weights too."""
    arguments = {"use_ema": True, "gradient_accumulation_steps": 3}
    try:
        keras.optimizers.get({"class_name": name, "config": arguments})
    except (TypeError, ValueError):
        arguments = {}
    check_resumes(spec(optimizer={name: arguments}), "graph", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "precision", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_mixed_precision_goes_on(precision: str, tmp_path: Path) -> None:
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
def test_layers_with_a_state_of_their_own_go_on(name: str, engine: Engine, tmp_path: Path) -> None:
    """Moving averages, seeds, singular vectors: variables that no gradient changes."""

    def layers() -> list[Any]:
        return [keras.layers.Dense(8), LAYERS[name](), keras.layers.Dense(1)]

    check_resumes(spec(), engine, tmp_path, layers=layers)


def test_the_state_of_another_model_is_refused(tmp_path: Path) -> None:
    """Assigned all the same, it would train something that nobody asked for."""
    _, _, states, _ = train(spec(), "graph", tmp_path)

    def wider() -> list[Any]:
        return [keras.layers.Dense(9), keras.layers.Dense(1)]

    with pytest.raises(ValueError, match=r"of another model, or of other callbacks$"):
        train(spec(), "graph", tmp_path, layers=wider, start=states[2])


def test_a_state_holds_no_path_and_no_object(tmp_path: Path) -> None:
    """A run folder may be moved before it is gone on with."""
    named = [{name: arguments} for name, arguments in CALLBACKS.items() if name in FILES]
    _, _, states, _ = train(spec(*named), "graph", tmp_path)
    held = [value for each in states[2].callbacks for value in each.values()]

    assert held
    assert not [value for value in held if isinstance(value, str)]
    assert state.State.__dataclass_params__.frozen


FILES = {"BackupAndRestore", "CSVLogger", "EarlyStopping", "ModelCheckpoint"}
