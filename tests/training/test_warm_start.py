"""A training begins with the weights of another run, or with word vectors from a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.check.faults import read as check
from nnrun.errors import DataError, IncompatibleSpec, SpecError
from nnrun.experiment import fold
from nnrun.models.build import wire
from nnrun.models.components import Named
from nnrun.runs import Run, layout
from nnrun.spec.catalogue import parse_component
from nnrun.spec.loading import load
from nnrun.spec.training import Weights
from nnrun.training import warm_start
from nnrun.training.warm_start import Source
from nnrun.types import Observer

WORDS = {"the": 2, "cat": 3, "sat": 4}


def layers(*stack: object) -> list[Named]:
    keras.utils.clear_session()
    return [*wire([parse_component("layers", layer) for layer in stack], (4,)).layers]


def test_a_model_begins_as_the_model_of_the_run(trained: tuple[Any, Path], tmp_path: Path) -> None:
    """Its first loss is the last one there, and a path is relative to the spec."""
    run = Run(trained[1])
    (tmp_path / "link").symlink_to(run.path)
    path = tmp_path / "more.yaml"
    text = (run.path / layout.SPEC).read_text()
    path.write_text(text.replace("run: null", "run: link"))
    setup = fold.build(fold.load_and_prepare(load(path).experiment), Observer())

    assert setup.initial == pytest.approx(run.metrics().train, rel=1e-5)
    assert setup.weights is not None
    assert setup.weights.digest == run.record().files[layout.MODEL]
    assert re.match(r"weights of 2 of 2 layers from .*: dense and dense_1\Z", setup.weights.notice)


OF_RUN = {
    "dense": [np.ones((4, 3)), np.zeros(3)],
    "dense_1": [np.ones((3, 2)), np.zeros(2)],
    "other": [np.ones(1)],
}


def of_run(*names: str) -> Source:
    return Source(Weights(run="r", layers=names), "", OF_RUN)


@pytest.mark.parametrize(
    ("names", "notice"),
    [
        ((), "weights of 2 of 3 layers from r: dense and dense_1; not loaded: new"),
        (("dense_*",), "weights of 1 of 3 layers from r: dense_1; not loaded: dense and new"),
    ],
)
def test_layers_take_the_weights_of_their_names(names: tuple[str, ...], notice: str) -> None:
    here = layers({"Dense": 3}, {"Dense": 2}, {"Dense": {"units": 2, "name": "new"}})

    assert warm_start.load(of_run(*names), here, None) == notice
    assert here[1].layer.get_weights()[0].tolist() == OF_RUN["dense_1"][0].tolist()
    assert (here[0].layer.get_weights()[0] == 1).all() == (not names)


@pytest.mark.parametrize(
    ("names", "units", "key", "message"),
    [
        (
            (),
            5,
            "run",
            "'dense_1' has weights of shape (3, 2) and shape (2,) in r, but of shape (3, 5) and shape "
            "(5,) here; to leave it out, list the others: layers: [dense]",
        ),
        (("new",), 2, "layers", "r has no layer 'new'; there are dense, dense_1 and other"),
        (
            ("conv*",),
            2,
            0,
            "no layer with weights is called 'conv*'; there are dense, dense_1 and new",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    names: tuple[str, ...], units: int, key: str | int, message: str
) -> None:
    here = layers({"Dense": 3}, {"Dense": units}, {"Dense": {"units": 2, "name": "new"}})
    with pytest.raises(IncompatibleSpec) as caught:
        warm_start.load(of_run(*names), here, None)

    assert caught.value.path[-1] == key
    assert caught.value.message == message


def vectors(path: Path, text: str, *, words: dict[str, int] = WORDS) -> Any:
    path.write_text(text, "utf-8")
    here = layers({"Embedding": {"input_dim": 5, "output_dim": 2}}, "Flatten", {"Dense": 1})
    before = here[0].layer.get_weights()[0]
    notice = warm_start.load(Source(Weights(vectors=str(path)), ""), here, lambda: words)
    return before, here[0].layer.get_weights()[0], notice


@pytest.mark.parametrize("head", ["", "4 2\n"], ids=["glove", "word2vec"])
def test_words_get_their_vectors(head: str, tmp_path: Path) -> None:
    """Words that are not in the file, and other rows, keep their random numbers."""
    text = f"{head}the 1 -2\ncat 0.5 3e-1 \n. . . 7 8\nÉtude 9 9\n"
    before, after, notice = vectors(tmp_path / "v.txt", text)

    np.testing.assert_array_equal(after[[2, 3]], np.array([[1, -2], [0.5, 0.3]], np.float32))
    np.testing.assert_array_equal(after[[0, 1, 4]], before[[0, 1, 4]])
    assert notice == "v.txt has vectors for 2 of 3 words; the others begin random"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the 1 2 3\n", "line 1 has 3 numbers, and the Embedding has 2 columns"),
        ("the 1 2\ncat 1\n", "line 2 has 1 numbers, and the Embedding has 2 columns"),
        ("the one two\n", "could not convert string to float"),
    ],
)
def test_a_file_of_other_lines_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=f"v.txt: is not a word with its numbers per line: {message}"
    ):
        vectors(tmp_path / "v.txt", text)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("{run: gone}", "NN127 training.weights.run: '{}/gone' is not there"),
        (
            "{run: ., layers: [conv*]}",
            "NN104 training.weights.layers[0]: the model has no layer 'conv*'",
        ),
        (
            "{layers: [dense]}",
            "NN111 training.weights.layers: needs a run, or word vectors, to load them from",
        ),
        ("{run: ., vectors: v}", "NN111 training.weights.vectors: cannot be with run"),
    ],
)
def test_check_finds_what_it_can_without_keras(weights: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "dataset: {name: digits, prepare: [flatten]}\nmodel: [Dense: {units: 10, activation: softmax}]"
        "\ntraining: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 1, "
        f"weights: {weights}}}\n"
    )
    with pytest.raises(SpecError) as caught:
        check(path)

    [fault] = caught.value.faults
    text = f"{fault.code} {fault.path}: {fault.message}"
    assert text.startswith(message.replace("{}", str(tmp_path)))
