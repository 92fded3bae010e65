"""User arrays, named as in Keras's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data import datasets
from nnrun.errors import DataError
from nnrun.spec import files
from nnrun.spec.dataset import Npz
from nnrun.types import Target

X = np.arange(60, dtype=np.float32).reshape(20, 3)
Y = np.arange(20) % 2


def spec(path: Path, arrays: dict[str, Any] | None = None, **arguments: Any) -> Npz:
    if arrays is not None:
        np.savez(path, **arrays)
    return Npz(name="npz", path=str(path), **arguments)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.npz"


def test_given_parts_are_used(file: Path) -> None:
    arrays = {"x_train": X, "y_train": Y, "x_test": X[:4], "y_test": Y[:4]}
    dataset = datasets.load(spec(file, arrays))

    np.testing.assert_array_equal(dataset.train.x, X)  # type: ignore[arg-type]
    np.testing.assert_array_equal(dataset.test.y, Y[:4])
    assert dataset.classes == ("0", "1")


def test_test_rows_are_drawn_by_default(file: Path) -> None:
    dataset = datasets.load(spec(file, {"x": X.astype(np.uint8), "y": Y.astype(float)}))

    assert (len(dataset.train), len(dataset.test), dataset.classes) == (16, 4, ())
    assert dataset.train.x.dtype == np.uint8  # type: ignore[union-attr]
    assert datasets.load(spec(file, {"x": X, "y": Y}, task="regression")).classes == ()


MASK = np.tile(np.arange(3), 20 * 4).reshape(20, 4, 3)


@pytest.mark.parametrize(
    ("y", "task", "target", "dtype"),
    [
        (MASK, None, Target("class", "class", ("0", "1", "2"), (4, 3)), "uint8"),
        (MASK[..., None], None, Target("class", "class", ("0", "1", "2"), (4, 3)), "uint8"),
        (MASK.astype(np.uint8), "regression", Target("values", "value", (), (4, 3)), "uint8"),
        (MASK / 2, None, Target("values", "value", (), (4, 3)), "float64"),
        (MASK[..., 1], None, Target("labels", "labels", tuple("0123"), (4,)), "uint8"),
        (MASK[:, 0], None, Target("values", "value", tuple("012"), (3,)), "float64"),
        (MASK[:, 0], "classification", Target("class", "class", tuple("012"), (3,)), "uint8"),
        (MASK[:, 0, 1:2], None, Target("class", "class", ("0", "1"), ()), "int64"),
    ],
    ids=lambda value: str(getattr(value, "shape", value)),
)
def test_labels_keep_their_shape(file: Path, y: Any, task: Any, target: Target, dtype: str) -> None:
    """Whole numbers are classes of each position; columns of 0 and 1 are labels."""
    dataset = datasets.load(spec(file, {"x": X, "y": y}, task=task))

    assert dataset.target == spec(file, task=task).profile().target == target
    assert dataset.train.y.shape == (16, *target.shape)
    assert dataset.train.y.dtype == dtype


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "other names": ({"a": X}, "must hold the arrays x_train, .*; there are a"),
    "other lengths": ({"x": X, "y": Y[:3]}, r"x has the shape \(20, 3\) and y \(3,\)"),
    "words": ({"x": X, "y": np.array(["a"] * 20)}, "y holds <U1, and must hold numbers"),
    "below 0": ({"x": X, "y": Y - 1}, "classes are whole numbers from 0"),
    "other labels": ({"x": X, "y": MASK[:, 0], "task": "labels"}, "task: labels needs y of shape"),
    "new classes": (
        {"x_train": X, "y_train": MASK, "x_test": X, "y_test": MASK + 1},
        "the test rows: y has classes that the training rows lack",
    ),
    "objects": ({"x": X, "y": np.array([{}] * 20)}, "y holds object, and must hold numbers"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_arrays_that_do_not_match_are_refused(case: str, file: Path) -> None:
    arrays, message = BROKEN[case]
    task = arrays.get("task")
    with pytest.raises(DataError, match=message):
        datasets.load(spec(file, {k: v for k, v in arrays.items() if k != "task"}, task=task))


def test_a_file_that_is_no_archive_is_refused(file: Path) -> None:
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="is no archive of plain arrays"):
        datasets.load(spec(file))


def test_labels_that_are_no_numbers_of_classes_are_refused(file: Path) -> None:
    """There would be a name for each number below a Unix time."""
    with pytest.raises(DataError, match=r"go up to 1700000000, .*; write task: regression if they"):
        datasets.load(spec(file, {"x": X, "y": Y + 1_700_000_000 - 1}))


def test_arrays_beyond_the_memory_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file can hold terabytes of zeros; the headers say so."""
    monkeypatch.setattr(files, "memory", lambda: 2_000_000)
    np.savez_compressed(file, x=np.zeros((10_000, 1000), np.uint8), y=np.zeros(10_000, int))

    assert file.stat().st_size < 20_000
    with pytest.raises(DataError, match=r"needs about 170.2 MB of memory, and there are 2.0 MB"):
        datasets.load(spec(file))


def test_an_archive_damaged_at_any_byte_is_read_or_refused(file: Path) -> None:
    """NumPy and zipfile raise a dozen kinds of errors."""
    np.savez_compressed(file, x=X, y=Y)
    content = file.read_bytes()
    messages = []
    for at in range(0, len(content), 3):
        file.write_bytes(content[:at] + bytes([content[at] ^ 12]) + content[at + 1 :])
        try:
            datasets.load(spec(file))
        except DataError as error:
            messages.append(str(error))

    assert len(messages) > len(content) // 6
    assert all(message.startswith(f"{file}: ") for message in messages)


def test_a_pipe_is_not_read(file: Path) -> None:
    """It would wait for a writer."""
    os.mkfifo(file)
    with pytest.raises(DataError, match="cannot be read: it is a pipe or a device"):
        datasets.load(spec(file))


@pytest.mark.parametrize("inside", [True, False])
def test_validation_arrays_are_held_out(inside: bool, file: Path, tmp_path: Path) -> None:
    """In the same file as `x_val` and `y_val`, or in another one; test rows are drawn if missing."""
    arrays = {"x_train": X, "y_train": Y}
    if inside:
        npz = spec(file, {**arrays, "x_val": X[:4] + 100, "y_val": Y[:4]})
    else:
        np.savez(tmp_path / "val.npz", x=X[:4] + 100, y=Y[:4])
        npz = spec(file, {"x": X, "y": Y}, validation=str(tmp_path / "val.npz"))
    dataset, profile = datasets.load(npz), npz.profile()
    train = dataset.train

    assert npz.names_validation
    assert (len(train), len(dataset.test)) == (profile.train, profile.test) == (20, 4)
    assert train.held_out is not None
    assert train.held_out.tolist() == [False] * 16 + [True] * 4
    np.testing.assert_array_equal(np.asarray(train.x)[16:], X[:4] + 100)
    assert train.row_numbers(np.arange(16, 20)).tolist() == [20, 21, 22, 23]
    tested = datasets.load(spec(file, {**arrays, "x_test": X[:5], "y_test": Y[:5]}))
    assert (len(tested.train), len(tested.test)) == (20, 5)


def test_several_test_files_have_names(file: Path, tmp_path: Path) -> None:
    paths = {name: str(tmp_path / f"{name}.npz") for name in ("one", "two")}
    np.savez(paths["one"], x=X[:2], y=Y[:2])
    np.savez(paths["two"], x=X[:3], y=Y[:3])
    npz = spec(file, {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y}, test=paths)
    sets = datasets.load(npz).test.test_sets

    assert {name: rows.tolist() for name, rows in sets.items()} == {"one": [0, 1], "two": [2, 3, 4]}
    assert npz.profile().test == 5
