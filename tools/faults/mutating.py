"""What can become of a file of a run folder: bits, lengths, numbers, keys, names, kinds of file."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Change = Callable[[random.Random, Path], None]
"""Changes one file; where there is nothing of the kind in it, it is left as it is."""

TEXTS = (".json", ".csv", ".yaml", ".txt")
ODD: tuple[Any, ...] = (
    *(None, True, "", "x", "nan", -1, 0, 1e308, 10**40, [], {}, [[1]], {"a": 1}),
    *(float("nan"), float("inf"), -0.5, "../../etc", "finished", "running", "\x1b[31mred"),
)


def flip_bit(rng: random.Random, path: Path) -> None:
    """One bit of the disk has turned."""
    data = bytearray(path.read_bytes())
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)


def truncate(rng: random.Random, path: Path) -> None:
    """The end is lost."""
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))] if data else b"")


def empty(_: random.Random, path: Path) -> None:
    """All of it is lost, as after a power cut."""
    path.write_bytes(b"")


def zeros(_: random.Random, path: Path) -> None:
    """As long as it was, and nothing in it: another thing that a power cut leaves."""
    path.write_bytes(bytes(path.stat().st_size))


def delete(_: random.Random, path: Path) -> None:
    """It is gone."""
    path.unlink()


def double(_: random.Random, path: Path) -> None:
    """What it says it says twice."""
    path.write_bytes(path.read_bytes() * 2)


def repeat_line(rng: random.Random, path: Path) -> None:
    """A line is there twice."""
    lines = path.read_bytes().splitlines(keepends=True)
    if lines:
        place = rng.randrange(len(lines))
        path.write_bytes(b"".join([*lines[:place], lines[place], *lines[place:]]))


def drop_line(rng: random.Random, path: Path) -> None:
    """A line is gone."""
    lines = path.read_bytes().splitlines(keepends=True)
    if lines:
        del lines[rng.randrange(len(lines))]
        path.write_bytes(b"".join(lines))


def swap(rng: random.Random, path: Path) -> None:
    """It has changed places with another, of the same kind if there is one."""
    others = [each for each in sorted(path.parent.iterdir()) if each.is_file() and each != path]
    alike = [each for each in others if each.suffix == path.suffix]
    if chosen := alike or others:
        other = rng.choice(chosen)
        mine = path.read_bytes()
        path.write_bytes(other.read_bytes())
        other.write_bytes(mine)


def folder(_: random.Random, path: Path) -> None:
    """A folder stands in its place."""
    path.unlink()
    path.mkdir()


def pipe(_: random.Random, path: Path) -> None:
    """A pipe stands in its place, of which a reader would wait for ever."""
    path.unlink()
    os.mkfifo(path)


def dangling(_: random.Random, path: Path) -> None:
    """A link to nothing stands in its place."""
    path.unlink()
    path.symlink_to("nowhere")


def loop(_: random.Random, path: Path) -> None:
    """A link to itself stands in its place."""
    path.unlink()
    path.symlink_to(path.name)


def forbid(_: random.Random, path: Path) -> None:
    """Nobody may read it; root, who may everything, does not notice."""
    path.chmod(0)


def change_digit(rng: random.Random, path: Path) -> None:
    """A digit is another: the file is as good as before, and what it says is wrong."""
    text = path.read_text(errors="surrogateescape")
    if places := [match.start() for match in re.finditer(r"\d", text)]:
        place = rng.choice(places)
        digit = rng.choice([digit for digit in "0123456789" if digit != text[place]])
        path.write_text(text[:place] + digit + text[place + 1 :], errors="surrogateescape")


def odd_number(rng: random.Random, path: Path) -> None:
    """A number has become none, or one beyond all bounds."""
    text = path.read_text(errors="surrogateescape")
    if found := list(re.finditer(r"-?\d+(\.\d+)?(e-?\d+)?", text)):
        match = rng.choice(found)
        odd = rng.choice(("NaN", "nan", "Infinity", "1e999", "9" * 400, "-0", "0x10", "1_0"))
        text = text[: match.start()] + odd + text[match.end() :]
        path.write_text(text, errors="surrogateescape")


def remove_key(rng: random.Random, path: Path) -> None:
    """A key of a JSON file is gone."""
    _in_json(rng, path, lambda whole, key: whole.pop(key))


def change_type(rng: random.Random, path: Path) -> None:
    """A value of a JSON file is of another kind."""
    _in_json(rng, path, lambda whole, key: whole.__setitem__(key, rng.choice(ODD)))


def _in_json(rng: random.Random, path: Path, change: Callable[[Any, Any], Any]) -> None:
    if path.suffix != ".json":
        change_digit(rng, path)
        return
    value = json.loads(path.read_text())
    places = list(_places(value))
    if places:
        change(*rng.choice(places))
        path.write_text(json.dumps(value, indent=2) + "\n")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every key and index, each with the mapping or list that it is of."""
    match value:
        case dict():
            keys: list[Any] = list(value)
        case list():
            keys = list(range(len(value)))
        case _:
            return []
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


OF_ANY: tuple[Change, ...] = (
    *(flip_bit, truncate, empty, zeros, delete, double, swap, folder, pipe, dangling, loop, forbid),
)
OF_TEXTS: tuple[Change, ...] = (
    *(change_digit, change_digit, odd_number, remove_key, change_type, repeat_line, drop_line),
)


def mutate(rng: random.Random, run: Path) -> str:
    """Changes a run folder; returns what was done, in words.

    Args:
        rng: decides.
        run: a copy of a run folder.
    """
    done = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        files = sorted(path for path in run.rglob("*") if path.is_file())
        if not files:
            break
        path = rng.choice(files)
        of_texts = path.suffix in TEXTS and rng.random() < 0.6
        change = rng.choice(OF_TEXTS if of_texts else OF_ANY)
        change(rng, path)
        done.append(f"{change.__name__} {path.relative_to(run)}")
    if rng.random() < 0.02:
        shutil.rmtree(run / "plots", ignore_errors=True)
        done.append("without plots")
    return ", ".join(done)
