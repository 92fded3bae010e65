"""The same spec gives the same run, to the byte."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun import runs
from nnrun.experiment import fold
from nnrun.experiment.recorder import RunContext
from nnrun.runs import Run, layout
from nnrun.spec.dumping import dump
from nnrun.spec.loading import load
from nnrun.types import Observer


def test_the_spec_of_a_run_repeats_it_to_the_byte(
    trained: tuple[Any, Path], three: tuple[Any, Path]
) -> None:
    """In another process, with two other experiments."""
    first, again = Run(trained[1]), Run(next(three[1].glob("*-digits")))
    weights = [
        [
            array.tobytes()
            for array in keras.models.load_model(run.path / layout.MODEL).get_weights()
        ]
        for run in (first, again)
    ]
    timeless = [run.metrics().model_copy(update={"seconds": {}}) for run in (first, again)]

    assert weights[0] == weights[1]
    assert timeless[0] == timeless[1]
    assert again.record().data_digest == first.record().data_digest
    for name in (
        *(layout.HISTORY, layout.SPEC, layout.CONFUSION),
        *(layout.REPORT, layout.SUMMARY, layout.PREPARATION),
    ):
        assert (again.path / name).read_bytes() == (first.path / name).read_bytes()


def test_each_model_is_built_with_default_keras_settings(trained: tuple[Any, Path]) -> None:
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(0.1)
    keras.config.set_image_data_format("channels_first")
    prepared = fold.load_and_prepare(load(trained[1] / layout.SPEC).experiment)
    setup = fold.build(prepared, Observer())

    assert {weight.dtype for weight in setup.model.weights} == {"float32"}
    assert keras.config.floatx() == "float32"
    assert keras.config.epsilon() == 1e-7
    assert keras.config.image_data_format() == "channels_last"


def test_each_experiment_of_a_command_has_fresh_layer_names(three: tuple[Any, Path]) -> None:
    summaries = [(run / layout.SUMMARY).read_text() for run in three[1].iterdir()]

    assert all("dense (Dense)" in summary for summary in summaries)


def test_logits_are_stored_as_probabilities(three: tuple[Any, Path]) -> None:
    run = Run(next(three[1].glob("*-logits")))
    arrays = run.read_arrays(layout.PREDICTIONS)
    target, output = arrays["target"], arrays["output"]

    assert output.min() >= 0
    np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-5)
    accuracy = (output.argmax(axis=1) == target).mean()
    assert accuracy == pytest.approx(run.metrics().test["accuracy"])


OVERFITTED = """\
name: best
dataset: {name: iris, prepare: [standardize]}
model: [Dense: {units: 32, activation: relu}, Dense: {units: 3, activation: softmax}]
training:
  optimizer: {Adam: 0.3}
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  epochs: 12
  restore: RESTORE
validation: {holdout: {size: 0.4}, kfold: {folds: 2, shuffle: true}}
"""


@pytest.mark.parametrize(
    ("restore", "metric", "best"),
    [("best", "loss", min), ("{best: val_accuracy}", "accuracy", max)],
)
def test_the_weights_of_the_best_epoch_are_tested(
    restore: str, metric: str, best: Callable[[list[float]], float], tmp_path: Path
) -> None:
    """And are those of the saved model; the record names the epoch."""
    path = tmp_path / "best.yaml"
    path.write_text(OVERFITTED.replace("RESTORE", restore))
    loaded = load(path).experiment
    setup = fold.build(fold.load_and_prepare(loaded), Observer())
    context = RunContext((), 0.0, 0.0)
    run = fold.train(
        setup,
        lambda record: runs.create(tmp_path, "best", now=datetime(2026, 1, 1), record=record),
        context=context,
        observer=Observer(),
    )
    values, metrics = run.history().epochs[f"val_{metric}"], run.metrics()
    rows = setup.prepared.fold.validation
    setup.model.load_weights(run.path / layout.MODEL)

    assert metrics.monitor == f"val_{metric}"
    assert values[metrics.best_epoch - 1] == best(values) != values[-1]
    assert metrics.restored_epoch == metrics.best_epoch
    assert metrics.validation[metric] == pytest.approx(best(values), rel=1e-5)
    assert setup.trainer.evaluator.metrics(setup.train, rows) == metrics.validation


def test_a_schedule_in_epochs_decays_over_that_many(tmp_path: Path) -> None:
    """In the optimizer of Keras; the spec of the run keeps the epochs."""
    path = tmp_path / "decayed.yaml"
    schedule = "{ExponentialDecay: {initial_learning_rate: 0.3, decay_epochs: 5, decay_rate: 0.5}}"
    text = OVERFITTED.replace("RESTORE", "last").replace("0.3", f"{{learning_rate: {schedule}}}", 1)
    path.write_text(text)
    setup = fold.build(fold.load_and_prepare(load(path).experiment), Observer())
    steps = -(-len(setup.prepared.fold.train) // 32)
    rate = setup.model.optimizer.get_config()["learning_rate"]["config"]

    assert rate["decay_steps"] == 5 * steps > 5
    assert "decay_epochs: 5" in dump(setup.prepared.spec)


@pytest.mark.slow
def test_each_fold_restores_its_best_epoch(nnrun: Callable[..., Any], tmp_path: Path) -> None:
    """The final model has no validation rows, and trains for the median of their epochs."""
    path = tmp_path / "best.yaml"
    path.write_text(OVERFITTED.replace("RESTORE", "best"))
    answer = nnrun("kfold", path, "--final", "--runs", tmp_path / "runs")
    run = Run(next((tmp_path / "runs").iterdir()))
    folds = [Run(run.path / layout.fold(number)).metrics() for number in (1, 2)]

    assert [each.restored_epoch for each in folds] == [each.best_epoch for each in folds]
    assert run.metrics().final.epochs == round(np.median([each.best_epoch for each in folds]))
    assert "note: restore: best chooses each fold's epoch by the rows that judge" in answer.stderr
    assert "final model: restore: best disabled: there are no validation rows" in answer.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("full_data")
def test_newswires_get_a_gallery_of_texts(
    nnrun: Callable[..., Any], configs: Path, tmp_path: Path
) -> None:
    """Full data, 46 classes, and one epoch of a small net."""
    answer = nnrun(
        *("train", configs / "reuters.yaml", "--runs", tmp_path, "--set", "training.epochs=1"),
        *("--set", "dataset.prepare=[{multi_hot: 1000}]", "--set", "dataset.num_words=1000"),
    )
    run = Run(next(tmp_path.iterdir()))

    assert (answer.returncode, run.status()) == (0, "finished")
    assert {path.name for path in (run.path / layout.PLOTS).iterdir()} >= {
        *("loss.png", "accuracy.png", "confusion.png", "gallery.png")
    }
