"""User texts: a column of a CSV file, or a folder per class."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np

from nnrun.data.datasets.tables import reading
from nnrun.data.datasets.tables import words as words_of
from nnrun.data.splits import draw, of_tests, with_validation
from nnrun.data.vocabulary import alphabetical, encode, same
from nnrun.errors import DataError
from nnrun.spec import profile, targets
from nnrun.spec.dataset import Text
from nnrun.spec.files import content
from nnrun.spec.text import quote
from nnrun.spec.validation import Validation
from nnrun.types import Array, Dataset, Split, Target


def text(spec: Text, validation: Validation | None = None) -> Dataset:
    """Texts as word indices; every word of the file has one, in alphabetical order.

    The step `vectorize` selects the words of the model from the training rows.
    """
    path = Path(spec.path)
    texts, target, y = _read(path, spec)
    classes = tuple(map(str, target.classes))
    if len(classes) == 1:
        raise DataError(f"{path}: all texts are of one class")
    rows = len(texts)
    if spec.test is None:
        in_order = path.is_file()
        orders: Sequence[Array] = draw(y, spec, validation if in_order else None, classes=classes)
        orders = [np.sort(rows) for rows in orders] if in_order else orders
        parts = [([texts[row] for row in rows], y[rows]) for rows in orders]
    else:
        tests = [_of_other_file(path, spec, target) for path in spec.test_files.values()]
        order = np.arange(len(texts))
        if path.is_dir():
            # Otherwise the rows would be sorted by class.
            order = np.random.default_rng(spec.seed).permutation(len(texts))
        orders = (order, *(np.arange(len(y)) for _, y in tests))
        parts = [([texts[row] for row in order], y[order]), *tests]
    if spec.validation is not None:
        parts.append(_of_other_file(spec.validation, spec, target))
    vocabulary = alphabetical([text for texts, _ in parts for text in texts])
    train, *others = (
        Split(encode(texts, vocabulary), y, numbers)
        for (texts, y), numbers in zip_longest(parts, orders)
    )
    if spec.validation is not None:
        train = with_validation(train, others.pop(), first=rows)
    test = of_tests(dict(zip(spec.test_files or ("",), others, strict=True)))
    return Dataset(
        spec.name,
        train,
        test,
        target,
        vocabulary=partial(same, {index: word for word, index in vocabulary.words.items()}),
        words=partial(same, vocabulary),
    )


def _of_other_file(name: str, spec: Text, target: Target) -> tuple[list[str], Array]:
    """The texts of a file that is not trained on, with their labels."""
    texts, _, y = _read(Path(name), spec, target)
    return texts, y


def _class_numbers(path: Path, labels: Sequence[str], classes: Sequence[str]) -> Array:
    numbers = {name: number for number, name in enumerate(classes)}
    for label in labels:
        if label not in numbers:
            raise DataError(f"{path}: {quote(label)} is no class of the training texts")
    return np.array([numbers[label] for label in labels], dtype=np.int64)


def _read(path: Path, spec: Text, target: Target | None = None) -> tuple[list[str], Target, Array]:
    """The texts, the meaning of their labels, and the labels.

    Args:
        path: of the file or folder.
        spec: names the columns.
        target: the meaning in the training file.
    """
    with reading(path):
        if path.is_dir():
            if path == Path(spec.path) and (problem := profile.class_folders_problem(path)):
                raise ValueError(problem)
            texts, words = _read_folder(path)
            return texts, *_classes(path, words, target or Target.one_of("class", _sorted(words)))
        table = spec.read(path)
    texts = words_of(table, spec.text)
    if isinstance(spec.target, str):
        words = words_of(table, spec.target)
        return texts, *_classes(path, words, target or Target.one_of(spec.target, _sorted(words)))
    for name in targets.names(spec.target):
        if name not in table.columns:
            raise DataError(f"{path}: has no column {quote(name)}")
    with reading(path):
        target = target or spec.meaning(table)
        return texts, target, targets.encode(spec.target, table, target)


def _sorted(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))


def _classes(path: Path, words: Sequence[str], target: Target) -> tuple[Target, Array]:
    return target, _class_numbers(path, words, tuple(map(str, target.names)))


def _read_folder(path: Path) -> tuple[list[str], list[str]]:
    texts: list[str] = []
    labels: list[str] = []
    for name in profile.class_folders(path):
        files = profile.files_within(path / name)
        texts += [_read_text(file) for file in files if file.suffix == ".txt"]
        labels += [name] * (len(texts) - len(labels))
    if not texts:
        raise DataError(f"{path}: holds no .txt files in a folder of a class")
    return texts, labels


def _read_text(path: Path) -> str:
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
