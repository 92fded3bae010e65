"""Damages files of a run folder: bits, lengths, numbers, keys, names and kinds of files."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

Change = Callable[[random.Random, Path], None]
"""Changes one file, if it holds anything of the kind."""

TEXTS = (".json", ".csv", ".yaml", ".txt")
ODD_VALUES: tuple[object, ...] = (
    *(None, True, "", "x", "nan", -1, 0, 1e308, 10**40, [], {}, [[1]], {"a": 1}),
    *(float("nan"), float("inf"), -0.5, "../../etc", "finished", "running", "\x1b[31mred"),
)
ODD_NUMBERS = ("NaN", "nan", "Infinity", "1e999", "9" * 400, "-0", "0x10", "1_0")


def flip_bit(rng: random.Random, path: Path) -> None:
    """Flips one bit."""
    data = bytearray(path.read_bytes())
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)


def truncate(rng: random.Random, path: Path) -> None:
    """Cuts the end off."""
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))] if data else b"")


def empty(_: random.Random, path: Path) -> None:
    """Deletes the content, as a power cut can."""
    path.write_bytes(b"")


def zeros(_: random.Random, path: Path) -> None:
    """Replaces all bytes by zeros, as a power cut can."""
    path.write_bytes(bytes(path.stat().st_size))


def delete(_: random.Random, path: Path) -> None:
    """Deletes the file."""
    path.unlink()


def double(_: random.Random, path: Path) -> None:
    """Repeats the content."""
    path.write_bytes(path.read_bytes() * 2)


def repeat_line(rng: random.Random, path: Path) -> None:
    """Repeats a line."""
    lines = path.read_bytes().splitlines(keepends=True)
    if lines:
        index = rng.randrange(len(lines))
        path.write_bytes(b"".join([*lines[: index + 1], *lines[index:]]))


def drop_line(rng: random.Random, path: Path) -> None:
    """Deletes a line."""
    lines = path.read_bytes().splitlines(keepends=True)
    if lines:
        del lines[rng.randrange(len(lines))]
        path.write_bytes(b"".join(lines))


def swap(rng: random.Random, path: Path) -> None:
    """Swaps the content with another file, of the same kind if there is one."""
    others = [other for other in sorted(path.parent.iterdir()) if other.is_file() and other != path]
    alike = [other for other in others if other.suffix == path.suffix]
    if chosen := alike or others:
        other = rng.choice(chosen)
        data = path.read_bytes()
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)


def folder(_: random.Random, path: Path) -> None:
    """Replaces the file by a folder."""
    path.unlink()
    path.mkdir()


def pipe(_: random.Random, path: Path) -> None:
    """Replaces the file by a pipe, on which a reader would wait for ever."""
    path.unlink()
    os.mkfifo(path)


def dangling(_: random.Random, path: Path) -> None:
    """Replaces the file by a link to nothing."""
    path.unlink()
    path.symlink_to("nowhere")


def loop(_: random.Random, path: Path) -> None:
    """Replaces the file by a link to itself."""
    path.unlink()
    path.symlink_to(path.name)


def forbid(_: random.Random, path: Path) -> None:
    """Makes the file unreadable, except for root."""
    path.chmod(0)


def change_digit(rng: random.Random, path: Path) -> None:
    """Changes a digit: the file stays valid, but its content is wrong."""
    _replace(rng, path, r"\d", lambda old: [digit for digit in "0123456789" if digit != old])


def odd_number(rng: random.Random, path: Path) -> None:
    """Replaces a number by one that is not finite or not in decimal form."""
    _replace(rng, path, r"-?\d+(\.\d+)?(e-?\d+)?", lambda _: ODD_NUMBERS)


def _replace(
    rng: random.Random,
    path: Path,
    pattern: str,
    choices: Callable[[str], list[str] | tuple[str, ...]],
) -> None:
    text = path.read_text(errors="surrogateescape")
    if matches := list(re.finditer(pattern, text)):
        match = rng.choice(matches)
        new = rng.choice(choices(match[0]))
        text = text[: match.start()] + new + text[match.end() :]
        path.write_text(text, errors="surrogateescape")


def remove_key(rng: random.Random, path: Path) -> None:
    """Deletes a key or item of a JSON file."""
    _change_json(rng, path, removes=True)


def change_type(rng: random.Random, path: Path) -> None:
    """Replaces a value of a JSON file by one of another type."""
    _change_json(rng, path, removes=False)


def _change_json(rng: random.Random, path: Path, *, removes: bool) -> None:
    if path.suffix != ".json":
        change_digit(rng, path)
        return
    document = json.loads(path.read_text())
    if places := _places(document):
        parent, key = rng.choice(places)
        if removes:
            del parent[key]
        else:
            parent[key] = rng.choice(ODD_VALUES)
        path.write_text(json.dumps(document, indent=2) + "\n")


def _places(value: object) -> list[tuple[dict | list, str | int]]:
    """Every key and index, each with its mapping or list."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


ANY_FILE: tuple[Change, ...] = (
    *(flip_bit, truncate, empty, zeros, delete, double, swap, folder, pipe, dangling, loop, forbid),
)
TEXT_FILE: tuple[Change, ...] = (
    *(change_digit, change_digit, odd_number, remove_key, change_type, repeat_line, drop_line),
)


def damage(rng: random.Random, run: Path) -> str:
    """Damages a run folder; returns a description."""
    done = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        files = sorted(path for path in run.rglob("*") if path.is_file())
        if not files:
            break
        path = rng.choice(files)
        is_text = path.suffix in TEXTS and rng.random() < 0.6
        change = rng.choice(TEXT_FILE if is_text else ANY_FILE)
        change(rng, path)
        done.append(f"{change.__name__} {path.relative_to(run)}")
    if rng.random() < 0.02:
        shutil.rmtree(run / "plots", ignore_errors=True)
        done.append("without plots")
    return ", ".join(done)
