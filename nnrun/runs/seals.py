"""Digests, by which a file that was damaged or edited is told from what nnrun wrote."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnrun.runs import plain_files

# Under which a record keeps its own digest.
SEAL = "seal"


def of_bytes(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal, as `sha256sum` prints it."""
    return hashlib.sha256(content).hexdigest()


def of_file(path: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        OSError: it cannot be read, or is no file.
    """
    with plain_files.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with its own digest as the last entry."""
    known = {key: value for key, value in record.items() if key != SEAL}
    return {**known, SEAL: _of_record(known)}


def is_whole(record: Mapping[str, Any]) -> bool:
    """Whether a record says what it said when it was sealed."""
    known = {key: value for key, value in record.items() if key != SEAL}
    return record.get(SEAL) == _of_record(known)


def _of_record(record: Mapping[str, Any]) -> str:
    # Of the values and not of the text, so that the way it is laid out does not matter.
    return of_bytes(json.dumps(finite(record), separators=(",", ":")).encode())


def finite(value: Any) -> Any:
    """The same for JSON, which knows neither NaN nor infinity: they become None."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: finite(item) for key, item in value.items()}
        case list() | tuple():
            return [finite(item) for item in value]
    return value
