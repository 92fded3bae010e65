"""One worker trains all its folds with one model, and the results are those of fresh models."""

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
STATEFUL: dict[str, dict[str, Any]] = {
    "momentum": {"optimizer": {"SGD": {"momentum": 0.9}}},
    "adam": {"optimizer": "adam"},
    "averages": {"optimizer": {"RMSprop": {"centered": True, "use_ema": True}}},
    "nadam": {"optimizer": "nadam"},
    "schedule": {"optimizer": {"SGD": {"learning_rate": DECAY}}},
    "loss scale": {"precision": "mixed_float16"},
}


def digits(study: Make, **changes: Any) -> Any:
    training = {"optimizer": "adam", "batch_size": 64, **CLASSES, **changes.pop("training", {})}
    steps = {"name": "digits", "prepare": [{"rescale": 16}]}
    changes = {"model": ["Flatten", SOFTMAX], **changes}
    return study(datasets.load(Digits(name="digits")), dataset=steps, training=training, **changes)


def bits(run: Run) -> tuple[Any, ...]:
    """History, predictions and weights."""
    weights = keras.models.load_model(run.path / layout.MODEL).get_weights()
    output = run.read_arrays(layout.PREDICTIONS)["output"]
    return run.read_json(layout.HISTORY), output.tobytes(), [each.tobytes() for each in weights]


def fresh_and_reused(study: Any) -> tuple[Run, Run]:
    """The last fold, trained with its own model, and with one that trained another fold before."""
    first, *_, last = study.folds
    fresh = study.run(last, name="fresh")
    study.setup = None
    study.run(first)
    return fresh, study.run(last)


QUICK = ("dropout and noise", "graph")


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        pytest.param(*pair, marks=() if pair == QUICK else pytest.mark.slow)
        for pair in product(MODELS, ("graph", "fit", "xla"))
    ],
)
def test_earlier_folds_do_not_change_a_fold(study: Make, name: str, engine: str) -> None:
    """Weights, random states and moving statistics of layers start as in a fresh process."""
    fresh, reused = fresh_and_reused(digits(study, model=MODELS[name], training={"engine": engine}))

    assert bits(reused) == bits(fresh)


@pytest.mark.slow
@pytest.mark.parametrize("name", STATEFUL)
def test_an_optimizer_starts_anew_with_each_fold(study: Make, name: str) -> None:
    fresh, reused = fresh_and_reused(digits(study, training=STATEFUL[name]))

    assert bits(reused) == bits(fresh)


@pytest.mark.slow
def test_callbacks_start_anew_with_each_fold(study: Make) -> None:
    """The learning rate that one fold reduced, and the epochs that another waited."""
    callbacks = [
        {"ReduceLROnPlateau": {"monitor": "val_loss", "patience": 0, "min_delta": 10}},
        {"EarlyStopping": {"monitor": "val_loss", "patience": 1, "min_delta": 0.05}},
    ]
    training = {
        "callbacks": callbacks,
        "epochs": 40,
        "optimizer": {"Adam": {"learning_rate": 0.05}},
    }
    fresh, reused = fresh_and_reused(digits(study, training=training))

    assert 1 < len(fresh.history()) < 40
    assert reused.history().epochs["learning_rate"][-1] < 0.05
    assert bits(reused) == bits(fresh)


@pytest.mark.slow
def test_vectorized_texts_do_not_change_a_later_fold(study: Make) -> None:
    """Each fold has its own vocabulary; long multi-hot vectors are stored as word indices."""
    spec = {"name": "text", "path": str(FUNCTIONS), "text": "text", "target": "module"}
    texts = study(
        datasets.load(Text.model_validate(spec)),
        dataset={**spec, "prepare": [{"vectorize": 1000}]},
        model=[
            {"Dense": {"units": 16, "activation": "relu"}},
            {"Dense": {"units": 8, "activation": "softmax"}},
        ],
        training={"optimizer": "adam", "batch_size": 64, "engine": "graph", **CLASSES},
    )
    fresh, reused = fresh_and_reused(texts)

    assert isinstance(texts.setup.train.x, tf.RaggedTensor)
    assert bits(reused) == bits(fresh)


@pytest.mark.slow
def test_each_fold_draws_its_own_initial_weights(study: Make) -> None:
    """So the spread over folds includes the effect of initial weights."""
    still = {"optimizer": {"SGD": {"learning_rate": 1e-30}}}
    runs = list(digits(study, training=still).runs())
    kernels = [keras.models.load_model(run.path / layout.MODEL).get_weights()[0] for run in runs]

    assert not np.array_equal(kernels[0], kernels[1])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["xla", "graph"])
def test_functions_are_traced_once_for_all_folds(study: Make, engine: str) -> None:
    """Also if folds differ in their number of rows: tracing takes longer than training them."""
    flowers = study(
        datasets.load(Iris(name="iris")),
        dataset={"name": "iris", "prepare": ["standardize"]},
        model=[{"Dense": {"units": 3, "activation": "softmax"}}],
        training={"loss": "sparse_categorical_crossentropy", "engine": engine, "epochs": 2},
        validation={"kfold": {"folds": 7}},
    )
    counts, loops = [], []
    for _ in flowers.runs():
        counts.append(tracings(flowers.setup))
        loops.append(flowers.setup.trainer._loop._traced)

    assert len({len(fold.train) for fold in flowers.folds}) > 1
    # Keras creates its metrics in the first tracing, and TensorFlow traces once more for that.
    assert counts == [dict.fromkeys(counts[0], 1) | {"metrics": 2}] * 7
    assert all(loop is loops[0] for loop in loops)


def tracings(setup: Any) -> dict[str, int]:
    """How often each function that passes rows through the model was traced."""
    loop, evaluator = setup.trainer._loop, setup.trainer.evaluator
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

study = Study(
    pathlib.Path(tempfile.mkdtemp()),
    spec(validation={{"kfold": {{"folds": 20}}}}, training={{"epochs": 3, "batch_size": 8}}),
    datasets.load(BreastCancer(name="breast_cancer")),
)
for _ in study.runs():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    print(pages * resource.getpagesize() / 2**20)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the size of the process from /proc")
def test_twenty_folds_take_no_more_memory_than_two(request: pytest.FixtureRequest) -> None:
    """In MB; a leak of a fold would count twenty times."""
    command = [sys.executable, "-c", MEMORY.format(folder=str(request.path.parent))]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    sizes = [float(line) for line in answer.stdout.splitlines()]

    assert len(sizes) == 20, answer.stderr[-2000:]
    # A model, its rows and its traced functions together are larger.
    assert sizes[19] - sizes[1] < 20
