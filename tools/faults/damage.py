"""Damages files of a run folder: bits, lengths, numbers, keys, names and kinds of files."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

TEXTS = (".json", ".csv", ".yaml", ".txt")
ODD_VALUES: tuple[object, ...] = (
    *(None, True, "", "x", "nan", -1, 0, 1e308, 10**40, [], {}, [[1]], {"a": 1}),
    *(float("nan"), float("inf"), -0.5, "../../etc", "finished", "running", "\x1b[31mred"),
)
ODD_NUMBERS = ("NaN", "nan", "Infinity", "1e999", "9" * 400, "-0", "0x10", "1_0")


def _flip_bit(rng: random.Random, data: bytes) -> bytes:
    flipped = bytearray(data)
    if data:
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))] if data else b""


def _multiply_line(rng: random.Random, data: bytes, times: int) -> bytes:
    lines = data.splitlines(keepends=True)
    if lines:
        index = rng.randrange(len(lines))
        lines[index] *= times
    return b"".join(lines)


def _replace(
    rng: random.Random, data: bytes, pattern: bytes, choices: Callable[[str], Sequence[str]]
) -> bytes:
    """Replaces one match by one of the choices for it."""
    if not (matches := list(re.finditer(pattern, data))):
        return data
    match = rng.choice(matches)
    new = rng.choice(choices(match[0].decode())).encode()
    return data[: match.start()] + new + data[match.end() :]


def _change_digit(rng: random.Random, data: bytes) -> bytes:
    """The file stays valid, but its content is wrong."""
    return _replace(
        rng, data, rb"\d", lambda old: [digit for digit in "0123456789" if digit != old]
    )


def _odd_number(rng: random.Random, data: bytes) -> bytes:
    """A number that is not finite, or not in decimal form."""
    return _replace(rng, data, rb"-?\d+(\.\d+)?(e-?\d+)?", lambda _: ODD_NUMBERS)


def _change_json(rng: random.Random, data: bytes, *, removes: bool) -> bytes:
    """Removes a key or item, or replaces its value by one of another type."""
    try:
        document = json.loads(data)
    except ValueError:
        return _change_digit(rng, data)
    if places := _places(document):
        parent, key = rng.choice(places)
        if removes:
            del parent[key]  # type: ignore[arg-type]
        else:
            parent[key] = rng.choice(ODD_VALUES)  # type: ignore[index]
    return (json.dumps(document, indent=2) + "\n").encode()


def _places(value: object) -> list[tuple[dict[str, object] | list[object], str | int]]:
    """Every key and index, each with its mapping or list."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


TEXT_CHANGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "change digit": _change_digit,
    "change another digit": _change_digit,
    "odd number": _odd_number,
    "remove key": lambda rng, data: _change_json(rng, data, removes=True),
    "change type": lambda rng, data: _change_json(rng, data, removes=False),
    "repeat line": lambda rng, data: _multiply_line(rng, data, 2),
    "drop line": lambda rng, data: _multiply_line(rng, data, 0),
}
BYTE_CHANGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "flip bit": _flip_bit,
    "truncate": _truncate,
    "double": lambda _, data: data * 2,
    # As a power cut can leave a file.
    "empty": lambda *_: b"",
    "zeros": lambda _, data: bytes(len(data)),
}
REPLACEMENTS: dict[str, Callable[[Path], None]] = {
    "delete": lambda _: None,
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
}


def _swap(rng: random.Random, path: Path) -> None:
    """Swaps the content with another file, of the same kind if there is one."""
    others = [other for other in sorted(path.parent.iterdir()) if other.is_file() and other != path]
    alike = [other for other in others if other.suffix == path.suffix]
    if chosen := alike or others:
        other = rng.choice(chosen)
        data = path.read_bytes()
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)


def _damage_file(rng: random.Random, path: Path) -> str:
    """Damages one file; returns the name of the change."""
    if path.suffix in TEXTS and rng.random() < 0.6:
        name = rng.choice([*TEXT_CHANGES])
        path.write_bytes(TEXT_CHANGES[name](rng, path.read_bytes()))
        return name
    name = rng.choice([*BYTE_CHANGES, *REPLACEMENTS, "swap", "forbid"])
    if name in BYTE_CHANGES:
        path.write_bytes(BYTE_CHANGES[name](rng, path.read_bytes()))
    elif name in REPLACEMENTS:
        path.unlink()
        REPLACEMENTS[name](path)
    elif name == "swap":
        _swap(rng, path)
    else:
        path.chmod(0)
    return name


def damage(rng: random.Random, run: Path) -> str:
    """Damages a run folder; returns a description."""
    done = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        # Not a pipe, which would block.
        if files := sorted(path for path in run.rglob("*") if path.is_file()):
            path = rng.choice(files)
            done.append(f"{_damage_file(rng, path)} {path.relative_to(run)}")
    if rng.random() < 0.02:
        shutil.rmtree(run / "plots", ignore_errors=True)
        done.append("without plots")
    return ", ".join(done)
