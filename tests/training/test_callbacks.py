"""Every callback of Keras does in the compiled loop what it does in `model.fit`."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.data import preprocessing
from nnrun.errors import IncompatibleSpec, TrainingError
from nnrun.spec import catalogue
from nnrun.spec.training import Training
from nnrun.training import callbacks, devices
from nnrun.training.compile import compile_model
from nnrun.training.evaluate import Evaluator
from nnrun.training.loop import Engine, Trainer, choose
from nnrun.training.rows import resident
from nnrun.types import Fold, History, Logs, Observer

# Those whose package need not be installed.
PACKAGES = {"OrbaxCheckpoint": "orbax", "RemoteMonitor": "requests", "TensorBoard": "tensorboard"}
MISSING = sorted(name for name in PACKAGES if importlib.util.find_spec(PACKAGES[name]) is None)
FOLD = Fold(np.arange(30), np.arange(30, 40))
X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5]).astype(np.float32)[:, None]
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


class Heard(Observer):
    """An observer that writes the epochs down."""

    def __init__(self) -> None:
        self.history = History()

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        self.history.append(logs)


def spec(*named: dict[str, Any], epochs: int = 3, optimizer: Any = None) -> Training:
    return Training.model_validate(
        {
            "optimizer": optimizer or {"SGD": {"learning_rate": 0.1}},
            "loss": "mse",
            "epochs": epochs,
            "batch_size": 8,
            "shuffle": False,
            "callbacks": named,
        }
    )


def model() -> keras.Model:
    keras.utils.clear_session()
    devices.seed_everything(3)
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(1)(inputs))


def trained(
    training: Training, folder: Path, engine: Engine = "graph", more: Any = ()
) -> tuple[dict[str, list[float]], keras.Model]:
    """History and model of a small regression with the callbacks of a spec."""
    net = model()
    compile_model(net, training)
    preparation = preprocessing.fit((), X, rows=FOLD.train)
    trainer = Trainer(
        net, preparation, training, engine=engine, evaluator=Evaluator(net, preparation)
    )
    listeners = [*callbacks.build(training.callbacks, folder), *more]
    heard = Heard()
    trainer.train(resident(X, Y), FOLD, seed=0, callbacks=listeners, observer=heard)
    return heard.history.epochs, net


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


class Publish(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Publish) as found:
        found.posted = []  # type: ignore[attr-defined]
        Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def test_every_callback_of_keras_is_tried() -> None:
    """A new one in Keras must not go untried."""
    assert set(ARGUMENTS) == set(catalogue.names("callbacks"))


@pytest.mark.parametrize("engine", ["graph", pytest.param("fit", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - set(PACKAGES)))
def test_every_callback_trains(name: str, engine: Engine, tmp_path: Path) -> None:
    """Built by its name, in the compiled loop and in Keras's, with the same history."""
    training = spec(
        {name: ARGUMENTS[name]}, optimizer={"SGD": {"learning_rate": 0.1, "use_ema": True}}
    )
    history, _ = trained(training, tmp_path, engine)

    assert [len(values) for values in history.values()] == [3] * len(history)
    assert np.isfinite(list(history.values())).all()


@pytest.mark.parametrize("name", MISSING)
def test_a_callback_without_its_package_is_refused(name: str, tmp_path: Path) -> None:
    """Before training, and with the name of the callback."""
    with pytest.raises(IncompatibleSpec) as caught:
        callbacks.build(spec({name: ARGUMENTS[name]}).callbacks, tmp_path)

    assert caught.value.path == ("training", "callbacks", 0)
    assert caught.value.message.startswith(
        f"{name}: needs a package that is not installed: pip install "
    )


def test_early_stopping_restores_the_weights_that_model_fit_restores(tmp_path: Path) -> None:
    """A learning rate that grows makes the loss rise again after some epochs."""
    growing = {
        "ExponentialDecay": {"initial_learning_rate": 0.05, "decay_steps": 4, "decay_rate": 2.0}
    }
    stopping = {"monitor": "val_loss", "patience": 2, "restore_best_weights": True}
    training = spec(
        {"EarlyStopping": stopping}, epochs=40, optimizer={"SGD": {"learning_rate": growing}}
    )
    history, net = trained(training, tmp_path)
    by_hand = model()
    by_hand.compile(
        keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.05, 4, 2.0)), "mse"
    )
    told = by_hand.fit(
        X[:30],
        Y[:30],
        batch_size=8,
        epochs=40,
        shuffle=False,
        validation_data=(X[30:], Y[30:]),
        callbacks=[keras.callbacks.EarlyStopping(**stopping)],
        verbose=0,
    )

    assert 2 < len(history["loss"]) < 40
    assert history["val_loss"] == pytest.approx(told.history["val_loss"], rel=1e-4)
    assert net.get_weights()[0] == pytest.approx(by_hand.get_weights()[0], rel=1e-5)
    assert np.argmin(history["val_loss"]) == len(history["loss"]) - 3


@pytest.mark.parametrize("engine", ["graph", "fit"])
def test_a_plateau_lowers_the_learning_rate_and_history_shows_it(
    engine: Engine, tmp_path: Path
) -> None:
    """Keras's callback adds it to the logs, and ours come after."""
    plateau = {"monitor": "loss", "patience": 1, "min_delta": 1e9, "factor": 0.5}
    # The first epoch improves on nothing at all, the others never by so much.
    history, _ = trained(spec({"ReduceLROnPlateau": plateau}), tmp_path, engine)

    assert history["learning_rate"] == pytest.approx([0.1, 0.1, 0.05])


@pytest.mark.parametrize("engine", ["graph", "fit"])
def test_a_schedule_from_yaml_is_asked_once_per_epoch(engine: Engine, tmp_path: Path) -> None:
    training = spec({"LearningRateScheduler": ARGUMENTS["LearningRateScheduler"]})
    history, _ = trained(training, tmp_path, engine)

    assert history["learning_rate"] == pytest.approx([0.1, 0.05, 0.025])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("CSVLogger", {"log.csv"}),
        ("ModelCheckpoint", {"best.keras"}),
        ("BackupAndRestore", {"backup/latest.weights.h5", "backup/training_metadata.json"}),
    ],
)
def test_files_are_written_into_the_run_folder(
    name: str, written: set[str], tmp_path: Path
) -> None:
    """A relative name would otherwise mean wherever the command was started."""
    trained(spec({name: ARGUMENTS[name]}), tmp_path)

    assert files(tmp_path) == written


def test_tensorboard_writes_into_the_run_folder(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    trained(spec({"TensorBoard": {}}), tmp_path)

    assert {name.split("/")[0] for name in files(tmp_path)} == {"tensorboard"}


def test_the_log_holds_what_history_holds(tmp_path: Path) -> None:
    history, _ = trained(spec({"CSVLogger": ARGUMENTS["CSVLogger"]}), tmp_path)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))

    assert [float(row["val_loss"]) for row in rows] == pytest.approx(history["val_loss"])


def test_a_checkpoint_holds_the_weights_of_its_epoch(tmp_path: Path) -> None:
    """The last is that of the trained model."""
    checkpoint = {"filepath": "{epoch}.weights.h5", "save_weights_only": True}
    _, net = trained(spec({"ModelCheckpoint": checkpoint}), tmp_path)
    again = model()
    again.load_weights(tmp_path / "3.weights.h5")

    assert files(tmp_path) == {"1.weights.h5", "2.weights.h5", "3.weights.h5"}
    assert np.array_equal(again.get_weights()[0], net.get_weights()[0])


def test_a_checkpoint_that_cannot_be_written_is_named_and_leaves_the_one_before(
    tmp_path: Path,
) -> None:
    """A full disk does not say of which file it had no room for the rest."""
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
    """Four steps an epoch; only Keras's own loop calls a callback between them."""
    checkpoint = {"filepath": "{epoch}-{batch}.keras", "save_freq": 2}
    training = spec({"ModelCheckpoint": checkpoint}, epochs=1)
    trained(training, tmp_path, choose(training, model(), device="cpu"))

    assert files(tmp_path) == {"1-2.keras", "1-4.keras"}


def test_averaged_weights_validate_as_in_model_fit(tmp_path: Path) -> None:
    """SwapEMAWeights puts the averages in place for validation only."""
    ema = {"SGD": {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.9}}
    training = spec({"SwapEMAWeights": {}}, optimizer=ema)
    history, net = trained(training, tmp_path)
    by_hand = model()
    by_hand.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
    by_hand.optimizer.build(by_hand.trainable_variables)
    told = by_hand.fit(
        X[:30],
        Y[:30],
        batch_size=8,
        epochs=3,
        shuffle=False,
        validation_data=(X[30:], Y[30:]),
        callbacks=[keras.callbacks.SwapEMAWeights()],
        verbose=0,
    )

    assert history["val_loss"] == pytest.approx(told.history["val_loss"], rel=1e-4)
    assert net.get_weights()[0] == pytest.approx(by_hand.get_weights()[0], rel=1e-4)


@pytest.mark.parametrize("engine", ["graph", "fit"])
def test_terminate_on_nan_leaves_the_last_word_to_nnrun(engine: Engine, tmp_path: Path) -> None:
    """The run failed, whether or not Keras's callback stopped the epoch."""
    training = spec({"TerminateOnNaN": {}}, optimizer={"SGD": {"learning_rate": 1e30}})
    with pytest.raises(TrainingError, match=r"^the loss became (nan|inf) in epoch 1; "):
        trained(training, tmp_path, engine)


def test_a_monitor_elsewhere_is_told_each_epoch(server: HTTPServer, tmp_path: Path) -> None:
    """Over HTTP, as numbers that JSON takes."""
    pytest.importorskip("requests")
    remote = {"root": f"http://127.0.0.1:{server.server_port}", "send_as_json": True}
    history, _ = trained(spec({"RemoteMonitor": remote}), tmp_path)
    posted = server.posted  # type: ignore[attr-defined]

    assert [each["epoch"] for each in posted] == [0, 1, 2]
    assert [each["loss"] for each in posted] == pytest.approx(history["loss"])


@pytest.mark.parametrize("engine", ["graph", "fit"])
def test_a_metric_of_many_values_counts_by_its_mean(engine: Engine, tmp_path: Path) -> None:
    """History has one number per epoch, whichever engine runs."""
    training = spec().model_copy(update={"metrics": Training.model_validate(MANY_VALUES).metrics})
    history, _ = trained(training, tmp_path, engine)

    assert {type(value) for value in history["r2_score"]} == {float}


MANY_VALUES = {
    "optimizer": "sgd",
    "loss": "mse",
    "epochs": 1,
    "metrics": [{"R2Score": {"class_aggregation": None}}],
}


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
def test_what_keras_refuses_is_told_with_its_place(
    callback: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(IncompatibleSpec) as caught:
        callbacks.build(spec({"TerminateOnNaN": {}}, callback).callbacks, tmp_path)

    assert (caught.value.code, caught.value.path) == ("NN114", ("training", "callbacks", 1))
    assert caught.value.message.startswith(message)
