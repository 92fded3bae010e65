"""The training loop trains as `model.fit` does, with every engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers, regularizers
from sklearn.utils.class_weight import compute_class_weight

from nnrun.data import datasets, labels, preprocessing
from nnrun.errors import TrainingError
from nnrun.spec.dataset import DATASETS
from nnrun.spec.training import Training
from nnrun.training import compiled
from nnrun.training.compile import compile_model
from nnrun.training.compiled import CompiledLoop
from nnrun.training.evaluate import Evaluator
from nnrun.training.loop import Engine
from nnrun.training.rows import Rows, Schedule, resident
from nnrun.types import Array, Fold, History, Logs
from tests.training.trained import ENGINES, EpochLog, functional, train

EPOCHS, TRAINED, HELD_OUT = 3, 110, 30
FOLD = Fold(np.arange(HELD_OUT, HELD_OUT + TRAINED), np.arange(HELD_OUT))
# Three full batches and one of 14 rows.
BATCH = 32


def engines(*names: Engine) -> pytest.MarkDecorator:
    """By default only the first one."""
    others = [pytest.param(name, marks=pytest.mark.slow) for name in names[1:]]
    return pytest.mark.parametrize("engine", [names[0], *others])


ROUNDING = {"rel": 2e-4, "abs": 2e-5}


@cache
def real(name: str) -> tuple[Array, Array, int]:
    """Inputs, labels and classes of 140 rows that come with a library."""
    if name == "masks":
        x, _, _ = real("digits")
        return x, (x[..., 0] > 0.4).astype(np.uint8) + (x[..., 0] > 0.8), 3
    if name == "labels":
        x, y, _ = real("iris")
        return x, np.stack([y == 1, y > 0], axis=1).astype(np.uint8), 0
    data = datasets.load(DATASETS[name](name=name, test_split=0.05))
    x = np.asarray(data.train.x, np.float32)[: TRAINED + HELD_OUT]
    y = data.train.y[: TRAINED + HELD_OUT]
    scaled = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-3)
    return x[..., None] / 16 if name == "digits" else scaled, y, len(data.classes)


Stack = Callable[[], list[Any]]


@dataclass(frozen=True)
class Case:
    """A model, how it is trained, and by which engines."""

    stack: Stack
    data: str = "iris"
    loss: str = "sparse_categorical_crossentropy"
    metrics: tuple[Any, ...] = ("accuracy",)
    optimizer: Any = "rmsprop"
    engines: tuple[Engine, ...] = ENGINES
    shuffle: bool = True
    class_weight: Any = None

    @property
    def training(self) -> Training:
        keys = ("optimizer", "loss", "metrics", "shuffle", "class_weight")
        given = {key: getattr(self, key) for key in keys}
        return Training.model_validate({**given, "epochs": EPOCHS, "batch_size": BATCH})

    def model(self) -> keras.Model:
        """Untrained, with the same weights each time."""
        return functional(real(self.data)[0].shape[1:], self.stack, seed=7)


def dense(units: int = 3, activation: str | None = "softmax", **more: Any) -> Stack:
    return lambda: [layers.Dense(16, activation="relu", **more), layers.Dense(units, activation)]


def digits(*stack: Callable[[], Any], **more: Any) -> Case:
    return Case(
        lambda: [*(make() for make in stack), layers.Dense(10, "softmax")], "digits", **more
    )


DECAY = {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}
CASES = {
    "dense": Case(dense()),
    "one-hot and many metrics": Case(
        dense(),
        loss="categorical_crossentropy",
        metrics=("accuracy", "AUC", "Precision", "F1Score"),
    ),
    "binary": Case(
        dense(1, "sigmoid"),
        "breast_cancer",
        "binary_crossentropy",
        ("accuracy", "binary_accuracy", "AUC"),
    ),
    "regression": Case(dense(1, None), "boston_housing", "mse", ("mae", "RootMeanSquaredError")),
    "several labels": Case(
        dense(2, "sigmoid"), "labels", "binary_focal_crossentropy", ("binary_accuracy", "mae")
    ),
    "masks": Case(
        lambda: [layers.Conv2D(4, 3, padding="same"), layers.Dense(3, "softmax")],
        "masks",
        engines=("graph", "fit"),
    ),
    "one-hot masks": Case(
        lambda: [layers.Conv2D(4, 3, padding="same"), layers.Dense(3, "softmax")],
        "masks",
        loss="categorical_crossentropy",
        engines=("graph",),
    ),
    "regularised": Case(dense(kernel_regularizer="l2", activity_regularizer=regularizers.L1(1e-3))),
    "batch norm": Case(
        lambda: [layers.Dense(8), layers.BatchNormalization(), layers.Dense(3, "softmax")]
    ),
    "layer norm": Case(
        lambda: [layers.Dense(8), layers.LayerNormalization(), layers.Dense(3, "softmax")]
    ),
    "convolution": digits(
        lambda: layers.Conv2D(4, 3, strides=2, activation="relu"),
        layers.Flatten,
    ),
    "pooling": digits(
        lambda: layers.Conv2D(4, 3, activation="relu"),
        layers.MaxPooling2D,
        layers.Flatten,
        engines=("graph", "fit"),
    ),
    "embedding": digits(
        layers.Flatten,
        lambda: layers.Rescaling(16),
        lambda: layers.Embedding(17, 4),
        layers.GlobalAveragePooling1D,
    ),
    "lstm": digits(lambda: layers.Reshape((8, 8)), lambda: layers.LSTM(6)),
    "gru": digits(lambda: layers.Reshape((8, 8)), lambda: layers.GRU(6)),
    "adam": Case(dense(), optimizer="adam"),
    "momentum": Case(dense(), optimizer={"SGD": {"learning_rate": 0.05, "momentum": 0.9}}),
    "clipped": Case(dense(1, None), "boston_housing", "mse", ("mae",), {"Adam": {"clipnorm": 0.5}}),
    "scheduled": Case(dense(), optimizer={"SGD": {"learning_rate": {"ExponentialDecay": DECAY}}}),
    "averaged weights": Case(
        dense(), optimizer={"SGD": {"use_ema": True, "ema_momentum": 0.8}}, shuffle=False
    ),
    "in order": Case(dense(), shuffle=False),
    "class weights": Case(dense(), class_weight={"0": 0.5, "2": 3}),
    "balanced classes": Case(
        dense(1, "sigmoid"), "breast_cancer", "binary_crossentropy", class_weight="balanced"
    ),
    "balanced columns": Case(dense(), loss="categorical_crossentropy", class_weight="balanced"),
}
# The optimizers and weights of a case as code for Keras.
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "momentum": lambda: optimizers.SGD(0.05, momentum=0.9),
    "clipped": lambda: optimizers.Adam(clipnorm=0.5),
    "scheduled": lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
    "averaged weights": lambda: optimizers.SGD(use_ema=True, ema_momentum=0.8),
}


# As instances: Keras reports a metric given by name under that name.
METRICS: dict[str, Callable[[], list[Any]]] = {
    "one-hot and many metrics": lambda: [
        *("accuracy", keras.metrics.AUC(), keras.metrics.Precision(), keras.metrics.F1Score())
    ],
    "binary": lambda: ["accuracy", "binary_accuracy", keras.metrics.AUC()],
    "regression": lambda: ["mae", keras.metrics.RootMeanSquaredError()],
}


def keras_class_weight(case: Case, y: Array) -> dict[int, float] | None:
    """As Keras takes it."""
    if case.class_weight != "balanced":
        return {0: 0.5, 1: 1, 2: 3} if case.class_weight else None
    weights = compute_class_weight("balanced", classes=np.unique(y), y=y)
    return dict(enumerate(weights.tolist()))


@cache
def by_keras(name: str) -> tuple[dict[str, list[float]], list[Array]]:
    """History and weights of a case with `model.fit`, in nnrun's row order."""
    case = CASES[name]
    x, y, _ = real(case.data)
    weight = keras_class_weight(case, y[FOLD.train])
    y = keras.utils.to_categorical(y) if case.loss == "categorical_crossentropy" else y
    model = case.model()
    model.compile(
        optimizer=OPTIMIZERS.get(name, lambda: case.optimizer)(),
        loss=case.loss,
        metrics=METRICS.get(name, lambda: list(case.metrics))(),
    )

    def fit(rows: Array, epochs: int) -> dict[str, list[float]]:
        history = model.fit(
            x[rows],
            y[rows],
            batch_size=BATCH,
            epochs=epochs,
            shuffle=False,
            validation_data=(x[FOLD.validation], y[FOLD.validation]),
            class_weight=weight,
            verbose=0,
        )
        return dict(history.history)

    if not case.shuffle:
        return fit(FOLD.train, EPOCHS), model.get_weights()
    history, schedule = History(), Schedule(FOLD, case.training, 0)
    for epoch in range(EPOCHS):
        logs = fit(schedule.order(epoch), 1)
        history.append({key: float(np.mean(value)) for key, value in logs.items()})
    return history.epochs, model.get_weights()


def trained(
    case: Case, engine: Engine = "graph", *, fold: Fold = FOLD, **options: Any
) -> tuple[EpochLog, keras.Model]:
    """A case trained by nnrun."""
    model = case.model()
    x, y, classes = real(case.data)
    names = [str(number) for number in range(classes)]
    weight = case.training.class_weight
    if weight:
        options["weights"] = labels.sample_weights(y, weight, classes=names, train=fold.train)
    y = labels.encode(y, case.training, classes=classes, units=model.output_shape[-1])
    return train(model, case.training, x, y, fold, engine=engine, **options), model


# XLA compiles long, so by default it runs only one case.
DEFAULT: dict[Engine, set[str]] = {
    "xla": {"in order"},
    "graph": {"one-hot and many metrics"},
    "fit": {"class weights"},
}


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        pytest.param(name, engine, marks=() if name in DEFAULT[engine] else pytest.mark.slow)
        for name, case in CASES.items()
        for engine in case.engines
    ],
)
def test_training_equals_model_fit(name: str, engine: Engine) -> None:
    """Same loss and metrics per epoch, and the same final weights; each last step is reported."""
    expected, weights = by_keras(name)
    log, model = trained(CASES[name], engine)
    history = log.history.epochs

    assert history == {key: pytest.approx(expected[key], **ROUNDING) for key in expected}
    assert [weight.tolist() for weight in model.get_weights()] == [
        pytest.approx(weight, **ROUNDING) for weight in weights
    ]
    assert log.began == [0, 1, 2]
    assert [step for step in log.steps if step == 4] == [4] * EPOCHS


def test_inputs_as_labels_are_those_of_a_copy() -> None:
    """To the bit, so that a label need not be stored."""
    x, _, _ = real("iris")
    case = Case(dense(4, None), loss="mse", metrics=("mae",))
    runs = []
    for y in (x, np.zeros((len(x), 0), np.float32)):
        model = case.model()
        runs.append(bits(train(model, case.training, x, y, FOLD), model))

    assert runs[0] == runs[1]


NOISY = digits(
    layers.Flatten,
    lambda: layers.Dropout(0.3),
    lambda: layers.Dense(12, "relu"),
    lambda: layers.GaussianNoise(0.1),
)


def bits(log: EpochLog, model: keras.Model) -> tuple[dict[str, list[float]], list[bytes]]:
    return log.history.epochs, [weight.tobytes() for weight in model.get_weights()]


@engines("graph", "xla")
def test_the_division_into_calls_changes_no_number(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It depends on the clock, and results must not."""
    monkeypatch.setattr(compiled, "CALL_SECONDS", 0)
    step_by_step = trained(NOISY, engine)
    monkeypatch.setattr(compiled, "CALL_SECONDS", 1e9)
    at_once = trained(NOISY, engine)

    assert step_by_step[0].steps == [1, 2, 4] * EPOCHS
    assert at_once[0].steps == [1, *[4] * EPOCHS]
    assert bits(*step_by_step) == bits(*at_once)


def compiled_loop(case: Case, *, batch_size: int, xla: bool) -> tuple[CompiledLoop, Rows]:
    x, y, _ = real(case.data)
    preparation = preprocessing.fit((), x, rows=FOLD.train)
    model = case.model()
    compile_model(model, case.training)
    loop = CompiledLoop(Evaluator(model, preparation), batch_size=batch_size, xla=xla)
    return loop, resident(preparation.store(x), y)


@engines("xla", "graph")
def test_the_loop_is_compiled_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an epoch nor a call for other steps of it may compile again."""
    monkeypatch.setattr(compiled, "CALL_SECONDS", 0)
    loop, rows = compiled_loop(CASES["dense"], batch_size=1, xla=engine == "xla")
    order = FOLD.train.astype(np.int32)
    seconds, traces = [], []
    for _ in range(3):
        began = time.perf_counter()
        loop.train_epochs(rows, lambda _: order, range(1), report=lambda step: None)
        seconds.append(time.perf_counter() - began)
        traces.append(loop._steps.experimental_get_tracing_count())

    assert len(set(traces)) == 1
    assert max(seconds[1:]) < seconds[0]


def test_metrics_are_reset_in_each_epoch() -> None:
    """Also in the first, in which Keras makes them."""
    case = Case(dense(), shuffle=False, optimizer={"SGD": {"learning_rate": 0.0}})
    loop, rows = compiled_loop(case, batch_size=BATCH, xla=False)
    order = FOLD.train.astype(np.int32)
    first, second, third = (
        loop.train_epochs(rows, lambda _, part=part: part, range(1), report=lambda step: None)[0]
        for part in (order, order[:50], order)
    )

    assert first == third
    assert second != first


class InterruptedLog(EpochLog):
    """Interrupts once, when the second epoch is reported."""

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        is_new = epoch == len(self.history)
        super().epoch_ended(epoch, logs, seconds)
        if epoch == 1 and is_new:
            raise KeyboardInterrupt


@engines("graph", "fit")
def test_an_interrupt_keeps_the_additions_of_callbacks(engine: Engine) -> None:
    """The epoch whose report it cut off is reported again, with the learning rate."""
    log = InterruptedLog()
    reduce = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=0, min_delta=1e9)
    with pytest.raises(KeyboardInterrupt):
        trained(CASES["dense"], engine, callbacks=[reduce], observer=log)

    assert len(log.history) == 2
    assert np.isfinite(log.history.epochs["learning_rate"]).all()


def test_a_callback_sees_the_model_at_the_end_of_its_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No epoch is trained before the callbacks of the previous one, even if it is short."""
    monkeypatch.setattr(compiled, "CALL_SECONDS", 1e9)
    steps: list[int] = []
    counting = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: steps.append(int(counting.model.optimizer.iterations))
    )
    trained(CASES["dense"], callbacks=[counting])

    assert steps == [4, 8, 12]


@engines("graph", "fit", "xla")
def test_few_rows_are_one_step_and_nothing_validates_without_held_out_rows(
    engine: Engine,
) -> None:
    log, _ = trained(CASES["dense"], engine, fold=Fold(np.arange(10), np.arange(0)))

    assert log.steps == [1] * EPOCHS
    assert set(log.history.epochs) == {"loss", "accuracy"}


@engines("fit", "graph", "xla")
def test_a_loss_that_is_not_finite_ends_training(engine: Engine) -> None:
    """After its epoch is reported."""

    def spoil(epoch: int, logs: Logs) -> None:
        model = callback.model
        model.set_weights([weight * np.nan for weight in model.get_weights()])

    callback, log = keras.callbacks.LambdaCallback(on_epoch_end=spoil), EpochLog()
    with pytest.raises(TrainingError) as caught:
        trained(CASES["dense"], engine, callbacks=[callback], observer=log)

    assert str(caught.value) == (
        "the loss became nan in epoch 2; a smaller learning rate, scaled inputs or clipped "
        "gradients (clipnorm) usually help"
    )
    assert np.isfinite(log.history.epochs["loss"]).tolist() == [True, False]


@pytest.fixture(params=[pytest.param("mixed_bfloat16", marks=pytest.mark.slow), "mixed_float16"])
def precision(request: pytest.FixtureRequest) -> Iterator[str]:
    by_keras("in order")
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("precision")
@engines("graph", "fit", "xla")
def test_mixed_precision_learns_as_float32(engine: Engine) -> None:
    """Weights stay in float32."""
    log, model = trained(CASES["in order"], engine)

    assert log.history.epochs["loss"] == pytest.approx(by_keras("in order")[0]["loss"], rel=0.05)
    assert {weight.dtype for weight in model.weights} == {"float32"}
