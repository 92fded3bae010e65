"""The training loop trains as `model.fit` does, whichever engine runs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
from nnrun.training import compiled, devices
from nnrun.training.compile import compile_model
from nnrun.training.compiled import CompiledLoop
from nnrun.training.evaluate import Evaluator
from nnrun.training.loop import Engine, Trainer
from nnrun.training.rows import Rows, Schedule, resident
from nnrun.types import Array, Fold, History, Logs, Observer

EPOCHS, TRAINED, HELD_OUT = 3, 110, 30
FOLD = Fold(np.arange(HELD_OUT, HELD_OUT + TRAINED), np.arange(HELD_OUT))
# Three full batches and one of 14 rows.
BATCH = 32
ENGINES: tuple[Engine, ...] = ("xla", "graph", "fit")
# XLA takes longest to compile.
each_engine = pytest.mark.parametrize(
    "engine", [pytest.param("xla", marks=pytest.mark.slow), "graph", "fit"]
)
ROUNDING = {"rel": 2e-4, "abs": 2e-5}


@dataclass
class Heard(Observer):
    """An observer that writes down what it is told."""

    history: History = field(default_factory=History)
    began: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        self.began.append(epoch)

    def steps_done(self, step: int) -> None:
        self.steps.append(step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        # It is told again of an epoch in whose telling an interrupt came.
        self.history.cut(epoch)
        self.history.append(logs)


@cache
def real(name: str) -> tuple[Array, Array, int]:
    """Inputs, labels and classes of 140 rows that come with a library."""
    found = datasets.load(DATASETS[name](name=name, test_split=0.05))
    x = np.asarray(found.train.x, np.float32)[: TRAINED + HELD_OUT]
    y = found.train.y[: TRAINED + HELD_OUT]
    scaled = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-3)
    forms = {"digits": x[..., None] / 16}
    return forms.get(name, scaled), y, len(found.classes)


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
        return Training.model_validate(
            {
                "optimizer": self.optimizer,
                "loss": self.loss,
                "metrics": self.metrics,
                "epochs": EPOCHS,
                "batch_size": BATCH,
                "shuffle": self.shuffle,
                "class_weight": self.class_weight,
            }
        )

    def model(self) -> keras.Model:
        """Untrained, with the same weights each time."""
        keras.utils.clear_session()
        devices.seed_everything(7)
        inputs = outputs = keras.Input(real(self.data)[0].shape[1:])
        for layer in self.stack():
            outputs = layer(outputs)
        return keras.Model(inputs, outputs)


def dense(units: int = 3, activation: str | None = "softmax", **more: Any) -> Stack:
    return lambda: [layers.Dense(16, activation="relu", **more), layers.Dense(units, activation)]


def on_digits(*stack: Callable[[], Any]) -> Stack:
    return lambda: [*(make() for make in stack), layers.Dense(10, "softmax")]


def digits(*stack: Callable[[], Any], **more: Any) -> Case:
    return Case(on_digits(*stack), "digits", **more)


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
    "scheduled": Case(
        dense(),
        optimizer={
            "SGD": {
                "learning_rate": {
                    "ExponentialDecay": {
                        "initial_learning_rate": 0.1,
                        "decay_steps": 3,
                        "decay_rate": 0.5,
                    }
                }
            }
        },
    ),
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
# By hand, what the words and the YAML of a case mean.
BY_HAND: dict[str, Callable[[], Any]] = {
    "momentum": lambda: optimizers.SGD(0.05, momentum=0.9),
    "clipped": lambda: optimizers.Adam(clipnorm=0.5),
    "scheduled": lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
    "averaged weights": lambda: optimizers.SGD(use_ema=True, ema_momentum=0.8),
}
# The weight of each class as Keras is told it by hand.
WEIGHTS: dict[str, Callable[[Array], dict[int, float]]] = {
    "class weights": lambda _: {0: 0.5, 1: 1, 2: 3},
    "balanced classes": lambda y: balanced(y),
    "balanced columns": lambda y: balanced(y),
}
LABELS: dict[str, Callable[[Array], Array]] = {
    "categorical_crossentropy": keras.utils.to_categorical,
}
METRICS: dict[str, Callable[[], list[Any]]] = {
    "one-hot and many metrics": lambda: [
        "accuracy",
        *map(_metric, "AUC Precision F1Score".split()),
    ],
    "binary": lambda: ["accuracy", "binary_accuracy", _metric("AUC")],
    "regression": lambda: ["mae", _metric("RootMeanSquaredError")],
}


def balanced(y: Array) -> dict[int, float]:
    """As a person balances by hand, from the rows that train alone."""
    present = np.unique(y)
    return dict(enumerate(compute_class_weight("balanced", classes=present, y=y).tolist()))


def _metric(name: str) -> Any:
    return getattr(keras.metrics, name)()


@cache
def by_hand(name: str) -> tuple[dict[str, list[float]], list[Array]]:
    """History and weights of the case as a person trains it with Keras, in our row order."""
    case = CASES[name]
    x, numbers, _ = real(case.data)
    weight = WEIGHTS[name](numbers[FOLD.train]) if name in WEIGHTS else None
    y = LABELS.get(case.loss, np.asarray)(numbers)
    model = case.model()
    model.compile(
        optimizer=BY_HAND.get(name, lambda: case.optimizer)(),
        loss=case.loss,
        metrics=METRICS.get(name, lambda: list(case.metrics))(),
    )
    held_out = (x[FOLD.validation], y[FOLD.validation])
    history = History()
    if not case.shuffle:
        told = model.fit(
            x[FOLD.train],
            y[FOLD.train],
            batch_size=BATCH,
            epochs=EPOCHS,
            shuffle=False,
            validation_data=held_out,
            class_weight=weight,
            verbose=0,
        )
        return told.history, model.get_weights()
    for epoch in range(EPOCHS):
        order = Schedule(FOLD, case.training, 0).order(epoch)
        told = model.fit(
            x[order],
            y[order],
            batch_size=BATCH,
            epochs=1,
            shuffle=False,
            validation_data=held_out,
            class_weight=weight,
            verbose=0,
        )
        history.append({key: np.mean(value) for key, value in told.history.items()})
    return history.epochs, model.get_weights()


def rows_of(case: Case, preparation: preprocessing.Preparation) -> Rows:
    x, y, classes = real(case.data)
    units = case.model().output_shape[-1]
    weight, names = case.training.class_weight, [str(number) for number in range(classes)]
    return resident(
        preparation.store(x),
        labels.encode(y, case.training, classes=classes, units=units),
        weights=labels.sample_weights(y, weight, classes=names, train=FOLD.train)
        if weight
        else None,
    )


def trained(
    case: Case,
    engine: Engine,
    *,
    callbacks: Any = (),
    fold: Fold = FOLD,
    seed: int = 0,
    heard: Heard | None = None,
) -> tuple[Heard, keras.Model]:
    """A case trained by nnrun."""
    preparation = preprocessing.fit((), real(case.data)[0], rows=fold.train)
    rows = rows_of(case, preparation)
    model = case.model()
    compile_model(model, case.training)
    evaluator = Evaluator(model, preparation)
    trainer = Trainer(model, preparation, case.training, engine=engine, evaluator=evaluator)
    heard = heard or Heard()
    trainer.train(rows, fold, seed=seed, callbacks=list(callbacks), observer=heard)
    return heard, model


# XLA takes longest to compile, so each day it shows what only it could get wrong.
EVERY_DAY: dict[Engine, set[str]] = {
    "xla": {"one-hot and many metrics"},
    "graph": {"averaged weights", "pooling"},
    "fit": {"class weights"},
}


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        pytest.param(name, engine, marks=() if name in EVERY_DAY[engine] else pytest.mark.slow)
        for name, case in CASES.items()
        for engine in case.engines
    ],
)
def test_training_equals_model_fit(name: str, engine: Engine) -> None:
    """Same weights and row order: same loss and metrics per epoch, and the same final weights."""
    history, weights = by_hand(name)
    heard, model = trained(CASES[name], engine)

    assert set(heard.history.epochs) == set(history)
    assert {key: heard.history.epochs[key] for key in history} == {
        key: pytest.approx(values, **ROUNDING) for key, values in history.items()
    }
    assert [weight.tolist() for weight in model.get_weights()] == [
        pytest.approx(weight, **ROUNDING) for weight in weights
    ]


NOISY = digits(
    layers.Flatten,
    lambda: layers.Dropout(0.3),
    lambda: layers.Dense(12, "relu"),
    lambda: layers.GaussianNoise(0.1),
)


def exactly(heard: Heard, model: keras.Model) -> tuple[Any, list[bytes]]:
    return heard.history.epochs, [weight.tobytes() for weight in model.get_weights()]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_two_runs_with_dropout_are_equal_to_the_bit(engine: Engine) -> None:
    """The seed says which units drop out."""
    assert exactly(*trained(NOISY, engine)) == exactly(*trained(NOISY, engine))


def test_another_seed_trains_otherwise() -> None:
    """The order of the rows follows from it."""
    first, second = (trained(CASES["dense"], "graph", seed=seed)[0] for seed in (1, 2))

    assert first.history.epochs != second.history.epochs


@pytest.mark.parametrize("engine", [pytest.param("xla", marks=pytest.mark.slow), "graph"])
def test_where_a_call_ends_changes_no_number(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It depends on the clock, and results must not."""
    monkeypatch.setattr(compiled, "CALL_SECONDS", 0)
    step_by_step = trained(NOISY, engine)
    monkeypatch.setattr(compiled, "CALL_SECONDS", 1e9)
    at_once = trained(NOISY, engine)

    assert step_by_step[0].steps == [1, 2, 4] * EPOCHS
    assert at_once[0].steps == [1, *[4] * EPOCHS]
    assert exactly(*step_by_step) == exactly(*at_once)


@pytest.fixture(params=[True, False], ids=["xla", "graph"])
def loop(request: pytest.FixtureRequest) -> tuple[CompiledLoop, Rows]:
    """One row per step."""
    case = CASES["dense"]
    preparation = preprocessing.fit((), real(case.data)[0], rows=FOLD.train)
    rows = rows_of(case, preparation)
    model = case.model()
    compile_model(model, case.training)
    evaluator = Evaluator(model, preparation)
    xla = request.param
    return CompiledLoop(model, preparation, evaluator=evaluator, batch_size=1, xla=xla), rows


def test_the_loop_is_compiled_once(
    loop: tuple[CompiledLoop, Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an epoch nor a call for other steps of it may compile anew: 110 would take long."""
    monkeypatch.setattr(compiled, "CALL_SECONDS", 0)
    seconds, traces = [], []
    for _ in range(3):
        began = time.perf_counter()
        loop[0].train_epochs(
            loop[1], lambda _: FOLD.train.astype(np.int32), range(1), report=lambda step: None
        )
        seconds.append(time.perf_counter() - began)
        traces.append(loop[0]._steps.experimental_get_tracing_count())

    assert len(set(traces)) == 1
    assert max(seconds[1:]) < seconds[0]


def test_metrics_begin_anew_each_epoch() -> None:
    """Also where the loop is the first to run them: Keras makes them only then."""
    case = CASES["in order"]
    preparation = preprocessing.fit((), real("iris")[0], rows=FOLD.train)
    rows = rows_of(case, preparation)
    model = case.model()
    compile_model(model, case.training)
    model.optimizer.learning_rate = 0.0
    evaluator = Evaluator(model, preparation)
    loop = CompiledLoop(model, preparation, evaluator=evaluator, batch_size=BATCH, xla=False)
    order = FOLD.train.astype(np.int32)
    first, second, third = (
        loop.train_epochs(rows, lambda _, part=part: part, range(1), report=lambda step: None)[0]
        for part in (order, order[:50], order)
    )

    assert first == third
    assert second != first


@each_engine
def test_the_observer_hears_every_epoch_and_its_last_step(engine: Engine) -> None:
    """A progress bar must reach its end."""
    heard, _ = trained(CASES["dense"], engine)

    assert heard.began == [0, 1, 2]
    assert [step for step in heard.steps if step == 4] == [4] * EPOCHS
    assert len(heard.history) == EPOCHS


class Impatient(Heard):
    """Interrupts once, when it hears of the second epoch."""

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        is_new = epoch == len(self.history)
        super().epoch_ended(epoch, logs, seconds)
        if epoch == 1 and is_new:
            raise KeyboardInterrupt


def test_an_interrupt_loses_no_epoch_of_the_same_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model has been trained for all of them, so the history must not end before."""
    monkeypatch.setattr(compiled, "CALL_SECONDS", 1e9)
    case = CASES["dense"]
    preparation = preprocessing.fit((), real(case.data)[0], rows=FOLD.train)
    model = case.model()
    compile_model(model, case.training)
    evaluator = Evaluator(model, preparation)
    trainer = Trainer(model, preparation, case.training, engine="graph", evaluator=evaluator)
    heard = Impatient()
    with pytest.raises(KeyboardInterrupt):
        trainer.train(rows_of(case, preparation), FOLD, seed=0, callbacks=[], observer=heard)
    whole, same = trained(case, "graph")

    assert heard.history.epochs == whole.history.epochs
    assert [a.tobytes() for a in model.get_weights()] == [b.tobytes() for b in same.get_weights()]


@pytest.mark.parametrize("engine", ["graph", "fit"])
def test_an_interrupt_leaves_what_a_callback_has_added(engine: Engine) -> None:
    """The epoch in whose telling it came is told again, with the learning rate."""
    heard = Impatient()
    reduce = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=0, min_delta=1e9)
    with pytest.raises(KeyboardInterrupt):
        trained(CASES["dense"], engine, callbacks=[reduce], heard=heard)

    assert len(heard.history) == 2
    assert np.isfinite(heard.history.epochs["learning_rate"]).all()


class Counting(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Notes how many steps the optimizer had done at the end of every epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.steps.append(int(self.model.optimizer.iterations))


def test_a_callback_finds_the_model_as_its_epoch_left_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short the epochs, none is trained before a callback has seen the one before."""
    monkeypatch.setattr(compiled, "CALL_SECONDS", 1e9)
    counting = Counting()
    trained(CASES["dense"], "graph", callbacks=[counting])

    assert counting.steps == [4, 8, 12]


@each_engine
def test_without_held_out_rows_nothing_validates(engine: Engine) -> None:
    fold = Fold(np.arange(TRAINED), np.arange(0))
    heard, _ = trained(CASES["dense"], engine, fold=fold)

    assert set(heard.history.epochs) == {"loss", "accuracy"}


@each_engine
def test_fewer_rows_than_a_batch_are_one_step(engine: Engine) -> None:
    fold = Fold(np.arange(10), np.arange(10, 20))
    heard, _ = trained(CASES["dense"], engine, fold=fold)

    assert heard.steps == [1] * EPOCHS


class Spoil(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Loses the weights after the first epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.model.set_weights([weight * np.nan for weight in self.model.get_weights()])


@each_engine
def test_a_lost_loss_ends_training(engine: Engine) -> None:
    """With the epoch, which the observer has been told of, and without wasting the others."""
    preparation = preprocessing.fit((), real("iris")[0], rows=FOLD.train)
    case = CASES["dense"]
    rows = rows_of(case, preparation)
    model = case.model()
    compile_model(model, case.training)
    heard = Heard()
    trainer = Trainer(
        model, preparation, case.training, engine=engine, evaluator=Evaluator(model, preparation)
    )
    with pytest.raises(TrainingError) as caught:
        trainer.train(rows, FOLD, seed=0, callbacks=[Spoil()], observer=heard)

    assert str(caught.value) == (
        "the loss became nan in epoch 2; a smaller learning rate, scaled inputs or clipped "
        "gradients (clipnorm) usually help"
    )
    assert np.isfinite(heard.history.epochs["loss"]).tolist() == [True, False]


@pytest.fixture(params=[pytest.param("mixed_bfloat16", marks=pytest.mark.slow), "mixed_float16"])
def precision(request: pytest.FixtureRequest) -> Iterator[str]:
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("precision")
@each_engine
def test_mixed_precision_learns(engine: Engine) -> None:
    """Weights stay in float32, and the loss goes down as it does without."""
    heard, model = trained(CASES["adam"], engine)
    losses = heard.history.epochs["loss"]

    assert losses == pytest.approx(by_hand_in_float32(), rel=0.05)
    assert {weight.dtype for weight in model.weights} == {"float32"}


@cache
def by_hand_in_float32() -> list[float]:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    losses = by_hand("adam")[0]["loss"]
    keras.config.set_dtype_policy(policy)
    return losses
