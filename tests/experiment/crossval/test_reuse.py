"""One worker trains fold after fold with one model, and no number shows it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nnrun.data import datasets
from nnrun.runs import Run, layout
from nnrun.spec.dataset import Digits, Iris, Text

Make = Callable[..., Any]

CLASSES = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], "epochs": 3}
SOFTMAX = {"Dense": {"units": 10, "activation": "softmax"}}
SOFTMAX_OF_EIGHT = {"Dense": {"units": 8, "activation": "softmax"}}
FUNCTIONS = Path(__file__).parents[3] / "configs" / "own" / "data" / "functions.csv"
RANDOM = [{"Dropout": {"rate": 0.3}}, {"GaussianNoise": {"stddev": 0.1}}]
MODELS: dict[str, list[Any]] = {
    "dropout and noise": ["Flatten", {"Dense": {"units": 16}}, *RANDOM, SOFTMAX],
    "batch normalization": ["Flatten", {"Dense": {"units": 16}}, "BatchNormalization", SOFTMAX],
    "layer normalization": ["Flatten", "LayerNormalization", SOFTMAX],
    "convolution": [
        {"Reshape": {"target_shape": [8, 8, 1]}},
        {"Conv2D": {"filters": 4, "kernel_size": 3}},
        "Flatten",
        SOFTMAX,
    ],
    "recurrent": [{"LSTM": {"units": 8, "dropout": 0.2}}, SOFTMAX],
}
DECAY = {"ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5}}
OPTIMIZERS: list[Any] = [
    {"SGD": {"momentum": 0.9}},
    "adam",
    {"RMSprop": {"centered": True, "use_ema": True}},
    "nadam",
    {"SGD": {"learning_rate": DECAY}},
]


def digits(study: Make, **changes: Any) -> Any:
    training = {"optimizer": "adam", "batch_size": 64, **CLASSES, **changes.pop("training", {})}
    steps = {"name": "digits", "prepare": [{"rescale": 16}]}
    rows = datasets.load(Digits(name="digits"))
    return study(rows, dataset=steps, training=training, **changes)


def bits(run: Run) -> tuple[Any, ...]:
    """History, predictions and weights."""
    weights = keras.models.load_model(run.path / layout.MODEL).get_weights()
    output = run.read_arrays(layout.PREDICTIONS)["output"]
    return run.read_json(layout.HISTORY), output.tobytes(), [each.tobytes() for each in weights]


def fresh_and_reused(study: Any) -> tuple[Run, Run]:
    """The last fold, trained with a model of its own, and with one that trained others before."""
    last = study.folds[-1]
    fresh = study.run(last, name="fresh")
    study.setup = None
    for fold in (*study.folds[:2], last):
        reused = study.run(fold)
    return fresh, reused


QUICK = ("dropout and noise", "graph")


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        pytest.param(*pair, marks=() if pair == QUICK else pytest.mark.slow)
        for pair in product(MODELS, ("graph", "fit", "xla"))
    ],
)
def test_a_fold_is_the_same_whatever_was_trained_before(
    study: Make, name: str, engine: str
) -> None:
    """Weights, random states of layers, moving statistics: all begin as in a fresh process."""
    fresh, reused = fresh_and_reused(digits(study, model=MODELS[name], training={"engine": engine}))

    assert bits(reused) == bits(fresh)


@pytest.mark.slow
def test_words_that_each_fold_numbers_anew_leave_nothing_to_another(study: Make) -> None:
    """Bags of many words are kept as words, of which every fold knows others."""
    spec = {"name": "text", "path": str(FUNCTIONS), "text": "text", "target": "module"}
    texts = study(
        datasets.load(Text.model_validate(spec)),
        dataset={**spec, "prepare": [{"vectorize": 1000}]},
        model=[{"Dense": {"units": 16, "activation": "relu"}}, SOFTMAX_OF_EIGHT],
        training={"optimizer": "adam", "batch_size": 64, "engine": "graph", **CLASSES},
    )
    fresh, reused = fresh_and_reused(texts)

    assert isinstance(texts.setup.train.x, tf.RaggedTensor)
    assert bits(reused) == bits(fresh)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_an_optimizer_begins_anew_with_each_fold(study: Make, optimizer: Any) -> None:
    """Momentum, averages and the step that a schedule counts."""
    fresh, reused = fresh_and_reused(
        digits(study, model=["Flatten", SOFTMAX], training={"optimizer": optimizer})
    )

    assert bits(reused) == bits(fresh)


@pytest.mark.slow
def test_mixed_precision_begins_anew_with_each_fold(study: Make) -> None:
    """The factor by which the loss is scaled changes while it trains."""
    fresh, reused = fresh_and_reused(
        digits(study, model=["Flatten", SOFTMAX], training={"precision": "mixed_float16"})
    )

    assert bits(reused) == bits(fresh)


@pytest.mark.slow
def test_a_callback_that_changed_the_learning_rate_leaves_it_to_no_other_fold(study: Make) -> None:
    decay = {"ReduceLROnPlateau": {"monitor": "val_loss", "patience": 0, "min_delta": 10}}
    fresh, reused = fresh_and_reused(
        digits(study, model=["Flatten", SOFTMAX], training={"callbacks": [decay]})
    )

    assert reused.history().epochs["learning_rate"][-1] < 0.001
    assert bits(reused) == bits(fresh)


@pytest.mark.slow
def test_early_stopping_waits_anew_in_each_fold(study: Make) -> None:
    stop = {"EarlyStopping": {"monitor": "val_loss", "patience": 1, "restore_best_weights": True}}
    fresh, reused = fresh_and_reused(
        digits(
            study,
            model=["Flatten", SOFTMAX],
            training={
                "callbacks": [stop],
                "epochs": 40,
                "optimizer": {"Adam": {"learning_rate": 0.05}},
            },
        )
    )

    assert 1 < len(fresh.history()) < 40
    assert bits(reused) == bits(fresh)


@pytest.mark.slow
def test_each_fold_draws_its_own_first_weights(study: Make) -> None:
    """So that the spread over folds holds what the first weights make of it."""
    runs = list(
        digits(
            study,
            model=["Flatten", SOFTMAX],
            training={"optimizer": {"SGD": {"learning_rate": 1e-30}}},
        ).runs()
    )
    kernels = [keras.models.load_model(run.path / layout.MODEL).get_weights()[0] for run in runs]

    assert not np.array_equal(kernels[0], kernels[1])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["xla", "graph"])
def test_what_is_traced_is_traced_once_for_all_folds(study: Make, engine: str) -> None:
    """Folds of 37 and 38 rows, batches with a rest: tracing costs more than training them does."""
    flowers = study(
        datasets.load(Iris(name="iris")),
        dataset={"name": "iris", "prepare": ["standardize"]},
        model=[{"Dense": {"units": 3, "activation": "softmax"}}],
        training={"loss": "sparse_categorical_crossentropy", "engine": engine, "epochs": 2},
        validation={"kfold": {"folds": 7}},
    )
    sizes = {len(fold.train) for fold in flowers.folds}
    counts, loops = [], []
    for _ in flowers.runs():
        counts.append(tracings(flowers.setup))
        loops.append(flowers.setup.trainer._loop._traced)

    assert len(sizes) > 1
    # Keras makes its metrics while it is traced first, for which TensorFlow traces once more.
    assert counts == [dict.fromkeys(counts[0], 1) | {"metrics": 2}] * 7
    assert all(each is loops[0] for each in loops)


def tracings(setup: Any) -> dict[str, int]:
    """How often each function that runs rows through the model was traced."""
    loop, evaluator = setup.trainer._loop, setup.evaluator
    assert set(evaluator._traced) == {"metrics", "outputs"}
    return {
        name: function.experimental_get_tracing_count()
        for name, function in {"steps": loop._steps, **evaluator._traced}.items()
    }


MEMORY = """
import pathlib, resource, sys, tempfile
sys.path.insert(0, {folder!r})
from conftest import Study, spec
from nnrun.data import datasets
from nnrun.spec.dataset import BreastCancer

def resident():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20

study = Study(
    pathlib.Path(tempfile.mkdtemp()),
    spec(validation={{"kfold": {{"folds": 20}}}}, training={{"epochs": 3, "batch_size": 8}}),
    datasets.load(BreastCancer(name="breast_cancer")),
)
for number, _ in enumerate(study.runs(), start=1):
    print(number, resident())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the size of the process from /proc")
def test_twenty_folds_take_no_more_memory_than_two(request: pytest.FixtureRequest) -> None:
    """In MB: what a fold leaves behind would stand here twenty times."""
    program = MEMORY.format(folder=str(request.path.parent))
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    sizes = {int(line.split()[0]): float(line.split()[1]) for line in answer.stdout.splitlines()}

    assert set(sizes) == set(range(1, 21)), answer.stderr[-2000:]
    # A model, its rows and its traced functions together are larger.
    assert sizes[20] - sizes[2] < 20
