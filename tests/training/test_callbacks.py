"""Every callback of Keras works in the compiled loop as in `model.fit`."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.errors import IncompatibleSpec, TrainingError
from nnrun.spec import catalogue
from nnrun.spec.training import Training
from nnrun.training import callbacks
from nnrun.training.loop import Engine, choose
from tests.training.trained import FOLD, X, Y, functional, train

# The packages that some callbacks need.
PACKAGES = {"OrbaxCheckpoint": "orbax", "RemoteMonitor": "requests", "TensorBoard": "tensorboard"}
MISSING = sorted(name for name in PACKAGES if importlib.util.find_spec(PACKAGES[name]) is None)
ARGUMENTS: dict[str, dict[str, Any]] = {
    "BackupAndRestore": {"backup_dir": "backup", "delete_checkpoint": False},
    "CSVLogger": {"filename": "log.csv"},
    "EarlyStopping": {"patience": 1},
    "LearningRateScheduler": {
        "schedule": {
            "ExponentialDecay": {
                "initial_learning_rate": 0.1,
                "decay_steps": 1,
                "decay_rate": 0.5,
            }
        }
    },
    "ModelCheckpoint": {"filepath": "best.keras"},
    "OrbaxCheckpoint": {"directory": "orbax"},
    "ReduceLROnPlateau": {"patience": 1},
    "RemoteMonitor": {"send_as_json": True},
    "SwapEMAWeights": {},
    "TensorBoard": {},
    "TerminateOnNaN": {},
}


each_engine = pytest.mark.parametrize(
    "engine", ["graph", pytest.param("fit", marks=pytest.mark.slow)]
)


def spec(*named: dict[str, Any], epochs: int = 3, **more: Any) -> Training:
    defaults = {"optimizer": {"SGD": {"learning_rate": 0.1}}, "loss": "mse", "epochs": epochs}
    rest = {"batch_size": 8, "shuffle": False, "callbacks": named}
    return Training.model_validate({**defaults, **rest, **more})


def dense() -> keras.Model:
    return functional((3,), lambda: [keras.layers.Dense(1)])


def trained(
    training: Training, folder: Path, engine: Engine = "graph"
) -> tuple[dict[str, list[float]], keras.Model]:
    """History and model of a regression with the callbacks of a spec."""
    model, built = dense(), callbacks.build(training.callbacks, folder)
    built += callbacks.restore_best(training)
    return train(model, training, engine=engine, callbacks=built).history.epochs, model


def by_keras(
    optimizer: keras.Optimizer, callback: keras.callbacks.Callback, epochs: int
) -> tuple[dict[str, list[float]], keras.Model]:
    """The same with `model.fit`."""
    model = dense()
    model.compile(optimizer, "mse")
    model.optimizer.build(model.trainable_variables)
    history = model.fit(
        X[FOLD.train],
        Y[FOLD.train],
        batch_size=8,
        epochs=epochs,
        shuffle=False,
        validation_data=(X[FOLD.validation], Y[FOLD.validation]),
        callbacks=[callback],
        verbose=0,
    )
    return history.history, model


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_all_callbacks_of_keras_are_tested() -> None:
    assert set(ARGUMENTS) == set(catalogue.names("callbacks"))


BUILT_IN = sorted(set(ARGUMENTS) - set(PACKAGES))
FILES = {
    "CSVLogger": {"log.csv"},
    "ModelCheckpoint": {"best.keras"},
    "BackupAndRestore": {"backup/latest.weights.h5", "backup/training_metadata.json"},
}


@pytest.mark.parametrize(
    ("names", "engine"),
    [
        (BUILT_IN, "graph"),
        *(
            pytest.param([name], engine, marks=pytest.mark.slow)
            for name in BUILT_IN
            for engine in ("graph", "fit")
        ),
    ],
)
def test_every_callback_trains(names: list[str], engine: Engine, tmp_path: Path) -> None:
    """Built from a spec; its files are in the run folder, and the CSV log equals the history."""
    averaged = {"SGD": {"learning_rate": 0.1, "use_ema": True}}
    training = spec(*({name: ARGUMENTS[name]} for name in names), optimizer=averaged)
    history, _ = trained(training, tmp_path, engine)

    assert [len(values) for values in history.values()] == [3] * len(history)
    assert np.isfinite(list(history.values())).all()
    assert files(tmp_path) == {file for name in names for file in FILES.get(name, ())}
    if "CSVLogger" in names:
        with (tmp_path / "log.csv").open() as file:
            logged = [float(row["val_loss"]) for row in csv.DictReader(file)]
        assert logged == pytest.approx(history["val_loss"])


@pytest.mark.parametrize("name", MISSING)
def test_a_callback_without_its_package_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(IncompatibleSpec) as caught:
        callbacks.build(spec({name: ARGUMENTS[name]}).callbacks, tmp_path)

    assert caught.value.path == ("training", "callbacks", 0)
    assert caught.value.message.startswith(
        f"{name}: needs a package that is not installed: pip install "
    )


def test_early_stopping_restores_the_same_weights_as_in_model_fit(tmp_path: Path) -> None:
    """A growing learning rate makes the loss rise again after some epochs."""
    growing = {
        "ExponentialDecay": {"initial_learning_rate": 0.05, "decay_steps": 4, "decay_rate": 2.0}
    }
    stopping = {"monitor": "val_loss", "patience": 2, "restore_best_weights": True}
    training = spec(
        {"EarlyStopping": stopping}, epochs=40, optimizer={"SGD": {"learning_rate": growing}}
    )
    history, model = trained(training, tmp_path)
    rate = keras.optimizers.schedules.ExponentialDecay(0.05, 4, 2.0)
    callback = keras.callbacks.EarlyStopping(**stopping)
    expected, reference = by_keras(keras.optimizers.SGD(rate), callback, 40)

    assert 2 < len(history["loss"]) < 40
    assert history["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-4)
    assert model.get_weights()[0] == pytest.approx(reference.get_weights()[0], rel=1e-5)
    assert np.argmin(history["val_loss"]) == len(history["loss"]) - 3


@pytest.mark.parametrize("restore", ["best", {"best": "val_r2"}], ids=str)
def test_the_weights_of_the_best_epoch_are_those_of_early_stopping(
    restore: object, tmp_path: Path
) -> None:
    """Keras restores them, too, but only where patience ends the training or it ends anyway."""
    growing = {
        "ExponentialDecay": {"initial_learning_rate": 0.05, "decay_steps": 4, "decay_rate": 2.0}
    }
    optimizer, metrics = {"SGD": {"learning_rate": growing}}, [{"R2Score": {"name": "r2"}}]
    training = spec(epochs=7, optimizer=optimizer, metrics=metrics, restore=restore)
    history, model = trained(training, tmp_path)
    rate = keras.optimizers.schedules.ExponentialDecay(0.05, 4, 2.0)
    callback = keras.callbacks.EarlyStopping("val_loss", patience=99, restore_best_weights=True)
    _, reference = by_keras(keras.optimizers.SGD(rate), callback, 7)

    assert np.argmin(history["val_loss"]) == np.argmax(history["val_r2"]) < 6
    assert model.get_weights()[0] == pytest.approx(reference.get_weights()[0], rel=1e-5)


def test_no_epoch_without_a_number_is_the_best() -> None:
    model = dense()
    restore = callbacks.RestoreBest("val_loss", highest=False)
    restore.set_model(model)
    for value in (np.nan, 2.0, 1.0, np.nan, 1.0):
        model.set_weights([np.full((3, 1), len(str(value))), np.full(1, value)])
        restore.on_epoch_end(0, {"val_loss": value})
    restore.on_train_end()

    assert model.get_weights()[1] == 1


def test_averaged_weights_validate_as_in_model_fit(tmp_path: Path) -> None:
    """SwapEMAWeights uses the averages for validation only."""
    averaged = {"SGD": {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.9}}
    history, model = trained(spec({"SwapEMAWeights": {}}, optimizer=averaged), tmp_path)
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    expected, reference = by_keras(optimizer, keras.callbacks.SwapEMAWeights(), 3)

    assert history["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-4)
    assert model.get_weights()[0] == pytest.approx(reference.get_weights()[0], rel=1e-4)


@each_engine
@pytest.mark.parametrize(
    ("callback", "rates"),
    [
        # The first epoch improves on nothing, the others never by so much.
        (
            {
                "ReduceLROnPlateau": {
                    "monitor": "loss",
                    "patience": 1,
                    "min_delta": 1e9,
                    "factor": 0.5,
                }
            },
            [0.1, 0.1, 0.05],
        ),
        ({"LearningRateScheduler": ARGUMENTS["LearningRateScheduler"]}, [0.1, 0.05, 0.025]),
    ],
    ids=["plateau", "schedule"],
)
def test_the_history_has_the_learning_rate_of_each_epoch(
    callback: dict[str, Any], rates: list[float], engine: Engine, tmp_path: Path
) -> None:
    history, _ = trained(spec(callback), tmp_path, engine)

    assert history["learning_rate"] == pytest.approx(rates)


def test_tensorboard_writes_into_the_run_folder(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    trained(spec({"TensorBoard": {}}), tmp_path)

    assert {name.split("/")[0] for name in files(tmp_path)} == {"tensorboard"}


def test_a_model_checkpoint_has_the_weights_of_its_epoch(tmp_path: Path) -> None:
    checkpoint = {"filepath": "{epoch}.weights.h5", "save_weights_only": True}
    _, model = trained(spec({"ModelCheckpoint": checkpoint}), tmp_path)
    loaded = dense()
    loaded.load_weights(tmp_path / "3.weights.h5")

    assert files(tmp_path) == {"1.weights.h5", "2.weights.h5", "3.weights.h5"}
    assert np.array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_an_error_while_saving_names_the_file_and_keeps_the_previous_one(
    tmp_path: Path,
) -> None:
    """The error of a full disk does not name the file."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    best = tmp_path / "best.keras"
    best.write_text("of an earlier epoch")
    (tmp_path / ".best.keras").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as caught:
        trained(spec({"ModelCheckpoint": {"filepath": "best.keras"}}), tmp_path)

    assert caught.value.filename == str(best)
    assert files(tmp_path) == {"best.keras"}
    assert best.read_text() == "of an earlier epoch"


def test_a_checkpoint_every_two_steps_is_written_by_fit(tmp_path: Path) -> None:
    checkpoint = {"filepath": "{epoch}-{batch}.keras", "save_freq": 2}
    training = spec({"ModelCheckpoint": checkpoint}, epochs=1)
    trained(training, tmp_path, choose(training, dense(), device="cpu"))

    assert files(tmp_path) == {"1-2.keras", "1-4.keras"}


@each_engine
def test_terminate_on_nan_fails_the_run(engine: Engine, tmp_path: Path) -> None:
    training = spec({"TerminateOnNaN": {}}, optimizer={"SGD": {"learning_rate": 1e30}})
    with pytest.raises(TrainingError, match=r"^the loss became (nan|inf) in epoch 1; "):
        trained(training, tmp_path, engine)


def test_a_remote_monitor_gets_each_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = pytest.importorskip("requests")
    posted: list[dict[str, Any]] = []
    monkeypatch.setattr(requests, "post", lambda url, json, headers: posted.append(json))
    history, _ = trained(spec({"RemoteMonitor": {"send_as_json": True}}), tmp_path)

    assert [epoch["epoch"] for epoch in posted] == [0, 1, 2]
    assert [epoch["loss"] for epoch in posted] == pytest.approx(history["loss"])


@each_engine
def test_a_metric_of_several_values_is_reported_as_their_mean(
    engine: Engine, tmp_path: Path
) -> None:
    training = spec(metrics=[{"R2Score": {"class_aggregation": None}}])
    history, _ = trained(training, tmp_path, engine)

    assert {type(value) for value in history["r2_score"]} == {float}


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (
            {"EarlyStopping": {"mode": "auto", "no_such": 1}},
            "EarlyStopping: EarlyStopping.__init__() got an unexpected keyword argument 'no_such'",
        ),
        ({"BackupAndRestore": {"backup_dir": "x", "save_freq": "often"}}, "BackupAndRestore: "),
    ],
)
def test_an_argument_that_keras_refuses_is_reported_with_its_place(
    callback: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(IncompatibleSpec) as caught:
        callbacks.build(spec({"TerminateOnNaN": {}}, callback).callbacks, tmp_path)

    assert (caught.value.code, caught.value.path) == ("NN114", ("training", "callbacks", 1))
    assert caught.value.message.startswith(message)
