"""The same spec gives the same run, to the byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.experiment import fold
from nnrun.runs import Run, layout
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
