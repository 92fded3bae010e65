"""What a run folder says, read without nnrun: what is broken in one, and how two differ."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml
from PIL import Image

# What no two runs have in common: times, processes, addresses in memory, digests of files that hold
# such; and what a table has only while it grows.
PASSING_KEYS = frozenset(
    "seconds started ended process path overrides commit digest digests files resumed "
    "shared_object_id crc32".split()
)
# Files that tell how a run went, and not what came out of it.
TOLD = ("run.json", "log.txt")
# What a callback keeps, which may be of an earlier epoch than the last.
OLDER = ("own.keras",)
_PASSING_NAME = re.compile(r"^\.(?P<stem>.+?)\.\d+(?P<suffix>\.\w+)?$")

Said = Any
"""What a file says, as a value that can be compared."""


def said(path: Path) -> Said:
    """What a file says, without times.

    Raises:
        Exception: whatever its reader says of a file that is damaged.
    """
    match path.suffix:
        case ".json":
            return _lasting(json.loads(path.read_text(encoding="utf-8")))
        case ".csv":
            return _table(path.read_text(encoding="utf-8"))
        case ".npz":
            return _archive(path)
        case ".keras":
            return _model(path)
        case ".png":
            with Image.open(path) as picture:
                picture.load()
            return path.read_bytes()
        case ".yaml":
            return yaml.safe_load(path.read_text(encoding="utf-8"))
    return path.read_bytes()


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in PASSING_KEYS}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def _table(text: str) -> list[list[str]]:
    if text and not text.endswith("\n"):
        # Of a table whose lines prove that they are whole, half of the last is no line.
        if not text.partition("\n")[0].endswith(",crc32"):
            raise ValueError("ends with half a line")
        text = text[: text.rindex("\n") + 1]
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    if any(len(row) < len(header) for row in rows):
        raise ValueError("has a line that is too short")
    lasting = [index for index, name in enumerate(header) if name not in PASSING_KEYS]
    return [[row[index] for index in lasting] for row in (header, *rows)]


def _archive(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as whole:
        if broken := whole.testzip():
            raise ValueError(f"{broken} is damaged")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: _bytes(arrays[name]) for name in arrays.files}


def _model(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as whole:
        if broken := whole.testzip():
            raise ValueError(f"{broken} is damaged")
        found = {"config": _lasting(json.loads(whole.read("config.json")))}
        with h5py.File(io.BytesIO(whole.read("model.weights.h5"))) as weights:
            weights.visititems(lambda name, item: found.update(_leaf(name, item)))
    return found


def _leaf(name: str, item: Any) -> dict[str, Any]:
    return {name: _bytes(item[()])} if isinstance(item, h5py.Dataset) else {}


def _bytes(values: Any) -> tuple[str, tuple[int, ...], bytes]:
    array = np.asarray(values)
    return str(array.dtype), array.shape, array.tobytes()


def contents(folder: Path) -> tuple[dict[str, Said], list[str]]:
    """What each file of a run folder says, by its name; and what is broken, as sentences."""
    found: dict[str, Said] = {}
    broken = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.name.startswith("."):
            broken.append(f"{name}: a passing file was left")
            continue
        try:
            found[name] = said(path)
        except Exception as error:  # noqa: BLE001 - the other experiments are tried all the same
            broken.append(f"{name}: {type(error).__name__}: {error}")
    return found, broken


def differences(
    found: Mapping[str, Said], known: Mapping[str, Said], *, whole: bool
) -> Iterator[str]:
    """What one run says otherwise than an undisturbed one, as sentences.

    Args:
        found, known: of `contents`.
        whole: the run should have all that the other has; else files and epochs may be missing.
    """
    if whole and (missing := sorted(known.keys() - found.keys())):
        yield f"lacks {', '.join(missing)}"
    complete = whole or epochs(found) == epochs(known)
    # What fewer folds say together is something else than what all say.
    own = {name for name in known if not name.startswith("fold-") and _grows(name)}
    summed_up = {*OLDER, *(own if "folds.csv" in known else ())}
    for name in sorted(found.keys() & known.keys()):
        if name.rpartition("/")[2] in TOLD or (not whole and name in summed_up):
            continue
        same = _is_same if complete or not _grows(name) else _begins
        if not same(found[name], known[name], whole):
            yield f"{name}: says something else than that of the undisturbed run"


def _grows(name: str) -> bool:
    """Whether a file depends on how many epochs were trained."""
    return not name.endswith(("spec.yaml", "summary.txt", "prepare.json"))


def _is_same(found: Said, known: Said, whole: bool) -> bool:
    """Whether both say the same; of a run that is not whole, of what both speak of."""
    if not whole and isinstance(found, dict) and isinstance(known, dict):
        return all(found[key] == known[key] for key in found.keys() & known.keys())
    return bool(found == known)


def _begins(found: Said, known: Said, _whole: bool) -> bool:
    """Whether what is said of fewer epochs is the beginning of what is said of all."""
    if isinstance(known, list):
        # Before the first row a table does not know its columns.
        return len(found) < 2 or bool(found == known[: len(found)])
    is_history = isinstance(known, dict) and all(isinstance(each, list) for each in known.values())
    return not is_history or all(found[name] == known[name][: len(found[name])] for name in found)


def epochs(found: Mapping[str, Said]) -> int:
    """How many epochs the journal has."""
    return max(0, len(found.get("history.csv", [])) - 1)


def final(path: Path) -> Path:
    """The name under which a passing file will be kept."""
    match = _PASSING_NAME.match(path.name)
    return path.with_name(match["stem"] + (match["suffix"] or "")) if match else path
