"""The weights that a training begins with: of another run, or word vectors from a text file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from nnrun.errors import DataError, IncompatibleSpec, RunError
from nnrun.models import saved
from nnrun.models.components import Named
from nnrun.runs import Run, layout
from nnrun.runs.files import file_checksum
from nnrun.spec.files import opened
from nnrun.spec.text import join_first, join_words, quote
from nnrun.spec.training import Weights
from nnrun.types import Array

MOST_NAMES = 8  # layers that a message lists
_PATH = ("training", "weights")


@dataclass(frozen=True)
class Source:
    """The weights of a spec.

    Args:
        digest: of the file.
        layers: the weights of each layer of a run, by Keras's name.
    """

    weights: Weights
    digest: str
    layers: Mapping[str, list[Array]] = field(default_factory=dict)


def read(weights: Weights) -> Source:
    """Reads the weights of a run, or the digest of a file of word vectors.

    Call it before Keras is reset: a model that is read draws random numbers and takes names.

    Raises:
        RunError: the run has no model, or it is damaged.
        DataError: the file cannot be read.
    """
    if weights.vectors:
        try:
            return Source(weights, file_checksum(Path(weights.vectors)))
        except OSError as error:
            raise DataError(f"{weights.vectors}: cannot be read: {error.strerror}") from error
    run = Run(Path(str(weights.run)))
    names = (layout.MODEL, f"{layout.FINAL}/{layout.MODEL}")
    name = next((name for name in names if run.holds(name)), None)
    if name is None:
        raise RunError(
            f"{run.path}: has no {layout.MODEL}; for a cross-validation name one of its folds"
        )
    model = saved.read(run.whole(name))
    layers = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    return Source(weights, run.record().files[name], layers)


def load(
    source: Source, layers: Sequence[Named], words: Callable[[], Mapping[str, int]] | None
) -> str:
    """Sets the weights of a new model, and says what was loaded and what was not.

    Args:
        layers: of the model.
        words: the row of each word in an `Embedding`, if the rows are texts.

    Raises:
        IncompatibleSpec: the weights do not fit the model.
        DataError: the file of word vectors is damaged.
    """
    with_weights = [named for named in layers if named.layer.weights]
    chosen = _chosen(source.weights.layers, with_weights)
    if source.weights.vectors:
        return _load_vectors(Path(source.weights.vectors), chosen, words)
    path, named = source.weights.run, bool(source.weights.layers)
    loaded = [each.layer for each in chosen if named or each.layer.name in source.layers]
    for layer in loaded:
        _check_shapes(layer, source, loaded)
    if not loaded:
        there = join_first([*source.layers], MOST_NAMES)
        raise _misfit("run", f"no layer here has the name of one in {path}; there are {there}")
    for layer in loaded:
        layer.set_weights(source.layers[layer.name])
    new = [each.layer.name for each in with_weights if each.layer not in loaded]
    names = join_first([layer.name for layer in loaded], MOST_NAMES)
    rest = f"; not loaded: {join_first(new, MOST_NAMES)}" if new else ""
    return f"weights of {len(loaded)} of {len(with_weights)} layers from {path}: {names}{rest}"


def _misfit(key: str, message: str) -> IncompatibleSpec:
    return IncompatibleSpec("NN128", (*_PATH, key), message)


def _chosen(patterns: Sequence[str], layers: Sequence[Named]) -> list[Named]:
    """The layers with weights that a spec names; all if it names none."""
    for index, pattern in enumerate(patterns):
        if not any(layer.matches(pattern) for layer in layers):
            names = join_first([layer.layer.name for layer in layers], MOST_NAMES)
            message = f"no layer with weights is called {quote(pattern)}; there are {names}"
            raise IncompatibleSpec("NN128", (*_PATH, "layers", index), message)
    return [layer for layer in layers if not patterns or any(map(layer.matches, patterns))]


def _check_shapes(layer: keras.Layer, source: Source, loaded: Sequence[keras.Layer]) -> None:
    if layer.name not in source.layers:
        there = join_first([*source.layers], MOST_NAMES)
        message = f"{source.weights.run} has no layer {quote(layer.name)}; there are {there}"
        raise _misfit("layers", message)
    if not _fits(layer, source):
        here, others = _shapes(layer.get_weights()), _shapes(source.layers[layer.name])
        fitting = [each.name for each in loaded if _fits(each, source)]
        message = (
            f"{quote(layer.name)} has weights of {join_words(others, 'and')} in {source.weights.run}"
            f", but of {join_words(here, 'and')} here"
        )
        hint = f"; to leave it out, list the others: layers: [{', '.join(fitting)}]"
        raise _misfit("run", message + (hint if fitting else ""))


def _fits(layer: keras.Layer, source: Source) -> bool:
    return _shapes(layer.get_weights()) == _shapes(source.layers.get(layer.name, ()))


def _shapes(weights: Sequence[Array]) -> list[str]:
    return [f"shape {tuple(array.shape)}" for array in weights]


def _load_vectors(
    path: Path, chosen: Sequence[Named], words: Callable[[], Mapping[str, int]] | None
) -> str:
    """Sets the rows of an `Embedding` whose words are in the file; the others stay random."""
    embeddings = [e.layer for e in chosen if isinstance(e.layer, keras.layers.Embedding)]
    if words is None:
        raise _misfit("vectors", "needs texts, whose words have numbers")
    if len(embeddings) != 1:
        names = join_first([layer.name for layer in embeddings], MOST_NAMES) or "none"
        message = f"needs one Embedding, and here there is {names}; name it in layers"
        raise _misfit("vectors", message)
    [embedding] = embeddings
    [table] = embedding.get_weights()
    numbers = {word: row for word, row in words().items() if row < len(table)}
    found = 0
    for word, vector in _vectors(path, table.shape[1]):
        if word in numbers:
            table[numbers[word]] = vector
            found += 1
    embedding.set_weights([table])
    return (
        f"{path.name} has vectors for {found:,} of {len(numbers):,} words; the others begin random"
    )


def _vectors(path: Path, size: int) -> Iterator[tuple[str, Array]]:
    """The words of a text file with their numbers, as in GloVe and word2vec."""
    try:
        with opened(path) as file:
            for number, line in enumerate(file, 1):
                fields = line.count(b" ") + 1 - line.endswith(b" \n")
                if number == 1 and fields == 2 < size + 1:
                    continue  # word2vec begins with the number of words and of columns
                # A word of GloVe may contain spaces.
                if fields < size + 1 or (number < 3 and fields > size + 1):
                    message = f"{fields - 1} numbers, and the Embedding has {size} columns"
                    raise ValueError(f"line {number} has {message}")
                word, *numbers = line.decode("utf-8").rstrip("\r\n ").rsplit(" ", size)
                yield word, np.array(numbers, np.float32)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is not a word with its numbers per line: {error}") from error
