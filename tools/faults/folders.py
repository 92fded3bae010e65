"""Reads run folders without nnrun: which files are broken, and how two runs differ."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import yaml
from PIL import Image

# These differ between any two runs: times, processes, memory addresses, and digests of files with
# such values. `crc32` is a column of the epoch table while it grows.
VOLATILE_KEYS = frozenset(
    "seconds started ended process path overrides commit digest digests files resumed "
    "shared_object_id crc32".split()
)
# Files about the course of a run, not about its results.
COURSE = ("run.json", "log.txt")
# A callback may have written it before the last epoch.
CALLBACK_MODEL = "own.keras"
TEMPORARY_NAME = re.compile(r"^\.(?P<stem>.+?)\.\d+(?P<suffix>\.\w+)?$")

Contents = dict[str, object]
"""The content of each file of a run folder, as a value that can be compared."""


def contents(folder: Path) -> tuple[Contents, list[str]]:
    """The content of each file of a run folder, and the broken files with a reason."""
    values: Contents = {}
    broken = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.name.startswith("."):
            broken.append(f"{name}: a temporary file was left")
            continue
        try:
            values[name] = _read(path)
        except Exception as error:  # noqa: BLE001 - any error means that the file is broken
            broken.append(f"{name}: {type(error).__name__}: {error}")
    return values, broken


def _read(path: Path) -> object:
    match path.suffix:
        case ".json":
            return _stable(json.loads(path.read_text(encoding="utf-8")))
        case ".csv":
            return _read_table(path.read_text(encoding="utf-8"))
        case ".npz":
            _check_archive(path)
            with np.load(path, allow_pickle=False) as arrays:
                return {name: _comparable(arrays[name]) for name in arrays.files}
        case ".keras":
            return _read_model(path)
        case ".png":
            with Image.open(path) as picture:
                picture.load()
        case ".yaml":
            return yaml.safe_load(path.read_text(encoding="utf-8"))
    return path.read_bytes()


def _stable(value: object) -> object:
    if isinstance(value, dict):
        return {key: _stable(item) for key, item in value.items() if key not in VOLATILE_KEYS}
    return [_stable(item) for item in value] if isinstance(value, list) else value


def _read_table(text: str) -> list[list[str]]:
    if text and not text.endswith("\n"):
        # A kill may cut the last line of a growing table: its checksum shows that.
        if not text.partition("\n")[0].endswith(",crc32"):
            raise ValueError("ends with half a line")
        text = text[: text.rindex("\n") + 1]
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    if any(len(row) < len(header) for row in rows):
        raise ValueError("has a line that is too short")
    stable = [index for index, name in enumerate(header) if name not in VOLATILE_KEYS]
    return [[row[index] for index in stable] for row in (header, *rows)]


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if broken := archive.testzip():
            raise ValueError(f"{broken} is damaged")


def _read_model(path: Path) -> dict[str, object]:
    _check_archive(path)
    values: dict[str, object] = {}

    def add(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            values[name] = _comparable(item[()])

    with zipfile.ZipFile(path) as archive:
        values["config"] = _stable(json.loads(archive.read("config.json")))
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
            weights.visititems(add)
    return values


def _comparable(values: object) -> tuple[str, tuple[int, ...], bytes]:
    array = np.asarray(values)
    return str(array.dtype), array.shape, array.tobytes()


def differences(actual: Contents, expected: Contents, *, complete: bool) -> Iterator[str]:
    """How the files of a run differ from those of an undisturbed run, as sentences.

    Args:
        actual, expected: from `contents`.
        complete: the run must have all files and epochs.
    """
    if complete and (missing := sorted(expected.keys() - actual.keys())):
        yield f"lacks {', '.join(missing)}"
    same_length = complete or _epochs(actual) == _epochs(expected)
    for name in sorted(actual.keys() & expected.keys()):
        if name.rpartition("/")[2] in COURSE:
            continue
        grows = not name.endswith(("spec.yaml", "summary.txt", "prepare.json"))
        if not complete:
            # A summary of fewer folds differs from that of all.
            is_summary = "folds.csv" in expected and grows and not name.startswith("fold-")
            if is_summary or name == CALLBACK_MODEL:
                continue
        if same_length or not grows:
            is_same = _is_same(actual[name], expected[name], complete=complete)
        else:
            is_same = _is_beginning(actual[name], expected[name])
        if not is_same:
            yield f"{name}: differs from that of the undisturbed run"


def _epochs(values: Contents) -> int:
    table = values.get("history.csv")
    return max(0, len(table) - 1) if isinstance(table, list) else 0


def _is_same(actual: object, expected: object, *, complete: bool) -> bool:
    """Whether both are equal; in an incomplete run, as far as both have the same keys."""
    if not complete and isinstance(actual, dict) and isinstance(expected, dict):
        return all(actual[key] == expected[key] for key in actual.keys() & expected.keys())
    return bool(actual == expected)


def _is_beginning(actual: object, expected: object) -> bool:
    """Whether a table or history of fewer epochs is the beginning of that of all."""
    if isinstance(actual, list) and isinstance(expected, list):
        # Before its first row a table does not know its columns.
        return len(actual) < 2 or actual == expected[: len(actual)]
    if isinstance(actual, dict) and isinstance(expected, dict):
        is_history = all(isinstance(values, list) for values in expected.values())
        return not is_history or all(
            values == expected[name][: len(values)] for name, values in actual.items()
        )
    return True


def status(run: Path) -> str | None:
    """The status in the record of a run; None if it cannot be read."""
    try:
        record = json.loads((run / "run.json").read_text())
    except (OSError, ValueError):
        return None
    return record.get("status") if isinstance(record, dict) else None


def final_path(path: Path) -> Path:
    """The path that a temporary file is renamed to."""
    match = TEMPORARY_NAME.match(path.name)
    return path.with_name(match["stem"] + (match["suffix"] or "")) if match else path
