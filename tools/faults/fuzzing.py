"""Changes the shipped specs at random and loads them: each is valid or refused with messages.

    python tools/faults/fuzzing.py --count 20000 --seed 0

Prints counts, the slowest spec in seconds and the peak memory in megabytes as JSON. A spec that
ends with another exception, or takes too long, is printed with its seed and text; `--only NUMBER`
repeats a single one.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

from nnrun import check
from nnrun.errors import SpecError
from nnrun.runs import layout
from nnrun.spec import schema, source
from nnrun.spec.dumping import dump
from nnrun.spec.experiment import Experiment
from nnrun.spec.loading import load
from nnrun.spec.rendering import render

CONFIGS = Path(__file__).parents[2] / "configs"
VALIDATOR = Draft7Validator(schema.schema())
LONGEST = 1.0  # seconds of this process that one spec may take
KEYS = (
    "dataset model training validation holdout kfold prepare optimizer loss metrics epochs seed name "
    "Dense units activation layer Bidirectional EarlyStopping Adam learning_rate extends expect lint"
).split()
ODD = (
    *("0", "-1", "1e400", "-1e-400", "9" * 300, "9" * 5000, "1_0_0", "0x" + "f" * 80, "1e", "+", "0.5"),
    *(".nan", "-.inf", ".INF", "~", "null", "yes", "No", "true", "2026-01-01", "1:30:00", "=", "<<"),
    *("[]", "{}", "''", '""', "[[]]", "{a: {}}", "[1, a, {b: 2}]", "{Dense: 1, Dense: 2}", "? a"),
    *("{? [a]: b}", "{1: 2}", "{null: 1}", "{true: 1}", "{Dense: {units: {Dense: 1}}}", "[*a]", "*a"),
    *("&a [*a]", "&a", "!!int 3", "!!python/object:os.system x", "!x y", "!<tag:x> y", "%TAG", "@", "`"),
    *("'", '"', "'x", '"\\x', '"\\uD800"', "|", ">-", "|9", "- - - a", "---", "...", "%YAML 9.9", "#"),
    *("漢字", "e\u0301" * 40, "\u202eabc", "\ufeff", "\x85", "\u2028", "\xa0", "\x07", "\x00", "\U0001f600"),
    *("[" * 60 + "]" * 60, "{a: " * 60 + "}" * 60, "[" * 5000, "x" * 20_000, "x " * 20_000, "ä" * 9_000),
    *("../x", '"\\0"', "/etc/passwd", "~/x", "Dense(3)", "a=b", "{units=3}", "10,000", "20%", "auto", "gpu:9"),
    *("{a: &b [x, x, x], c: [*b, *b, *b]}", "&r {r: 1, s: &t [2, 3], u: *t}", "\t", "\r", "\r\n\r\n"),
)  # fmt: skip
BOMB = "bomb:\n  - &b0 [x, x, x, x, x, x, x, x]\n" + "".join(
    f"  - &b{n + 1} [*b{n}, *b{n}, *b{n}, *b{n}, *b{n}, *b{n}, *b{n}, *b{n}]\n" for n in range(8)
)

Change = Callable[[random.Random, str], str]


def _pieces(pattern: str) -> Callable[[random.Random, str], tuple[list[str], int]]:
    """Takes a text apart, and chooses one of the parts."""

    def apart(rng: random.Random, text: str) -> tuple[list[str], int]:
        parts = re.findall(pattern, text, re.DOTALL) or [""]
        return parts, rng.randrange(len(parts))

    return apart


CHARACTERS, TOKENS, LINES = _pieces("."), _pieces(r"\w+|\s+|."), _pieces("[^\n]*\n?")
VALUES = re.compile(r"(?<=[:\-] )[^\s,{}\[\]]+")


def delete(rng: random.Random, text: str) -> str:
    """Without one character, token or line."""
    parts, at = rng.choice((CHARACTERS, TOKENS, LINES))(rng, text)
    return "".join(parts[:at] + parts[at + 1 :])


def duplicate(rng: random.Random, text: str) -> str:
    """One piece repeated."""
    parts, at = rng.choice((CHARACTERS, TOKENS, LINES))(rng, text)
    return "".join(parts[:at] + [parts[at]] * rng.choice((2, 2, 3, 50)) + parts[at + 1 :])


def swap(rng: random.Random, text: str) -> str:
    """Two pieces exchanged."""
    parts, at = rng.choice((CHARACTERS, TOKENS, LINES))(rng, text)
    other = rng.choice((min(at + 1, len(parts) - 1), rng.randrange(len(parts))))
    parts[at], parts[other] = parts[other], parts[at]
    return "".join(parts)


def insert(rng: random.Random, text: str) -> str:
    """One piece more."""
    parts, at = rng.choice((CHARACTERS, TOKENS, LINES))(rng, text)
    new = rng.choice((rng.choice("[]{}:,-&*!|>'\"#%@? \t\n"), rng.choice(ODD), rng.choice(KEYS)))
    return "".join([*parts[:at], new, *parts[at:]])


def indent(rng: random.Random, text: str) -> str:
    """Some lines with another indentation."""
    lines, at = LINES(rng, text)
    by = rng.choice((" ", "  ", "    ", "\t", "\xa0", "- "))
    for number in range(at, min(at + rng.choice((1, 1, 4)), len(lines))):
        lines[number] = rng.choice((by + lines[number], lines[number].removeprefix("  ")))
    return "".join(lines)


def replace_value(rng: random.Random, text: str) -> str:
    """One value replaced by an odd one."""
    found = list(VALUES.finditer(text))
    if not found:
        return text
    place = rng.choice(found)
    return text[: place.start()] + rng.choice(ODD) + text[place.end() :]


def name_and_repeat(rng: random.Random, text: str) -> str:
    """An anchor at one value, and its alias for another, earlier or later."""
    found = list(VALUES.finditer(text))
    if len(found) < 2:
        return text
    one, other = sorted(rng.sample(found, 2), key=lambda match: match.start())
    first, second = rng.choice((("&a " + one[0], "*a"), ("*a", "&a " + other[0])))
    middle = text[one.end() : other.start()]
    return text[: one.start()] + first + middle + second + text[other.end() :]


def explode(rng: random.Random, text: str) -> str:
    """With nested aliases before or after."""
    return rng.choice((BOMB + text, text + BOMB))


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every mapping or list with each of its keys or positions."""
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in list(keys):
        yield tree, key
        yield from _places(tree[key])


def plant(rng: random.Random, text: str) -> str:
    """Renames, moves, removes or replaces values in the tree, whatever the text looks like."""
    try:
        tree = yaml.safe_load(text)
        for _ in range(rng.choice((1, 1, 2, 5))):
            places = list(_places(tree))
            if places:
                _change(rng, places)
        return str(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return text  # it is no tree any more


def _change(rng: random.Random, places: list[tuple[Any, Any]]) -> None:
    (holder, key), (other, other_key) = rng.choice(places), rng.choice(places)
    odd = (0, -1, 1.5, True, None, "x", [], {}, [None], {"a": 1}, 10**30, float("nan"), "auto")
    match rng.randrange(5):
        case 0 if isinstance(holder, dict):
            holder[rng.choice((rng.choice(KEYS), str(key)[:-1], str(key).upper()))] = holder.pop(
                key
            )
        case 1:
            value = yaml.safe_load(yaml.safe_dump(holder[key]))
            other[other_key] = value
        case 2:
            del holder[key]
        case 3:
            holder[key] = rng.choice(odd)
        case _:
            holder[key] = rng.choice(([holder[key]], {"Dense": holder[key]}, str(holder[key])))


# Most changes are small, so that most of a spec stays valid.
CHANGES: tuple[Change, ...] = (
    *(delete, duplicate, swap, insert, indent, indent, replace_value, replace_value),
    *(name_and_repeat, plant, plant, plant, plant),
)


def changed(seed: int, number: int) -> tuple[bytes, list[str]]:
    """One changed spec and its `--set` arguments, the same for the same numbers."""
    rng = random.Random(f"{seed} {number}")
    text = rng.choice(SHIPPED)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        text = rng.choice(CHANGES)(rng, text)
    if rng.random() < 0.01:
        text = explode(rng, text)
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.02:
        at = rng.randrange(len(data) + 1)
        data = data[:at] + bytes([rng.randrange(256)]) + data[at:]
    return data, [_override(rng) for _ in range(rng.choice((0, 0, 0, 0, 0, 0, 0, 0, 1, 2)))]


def _override(rng: random.Random) -> str:
    keys = [
        rng.choice((*KEYS, "0", "1", "-1", "99", "x", "")) for _ in range(rng.choice((1, 2, 2, 4)))
    ]
    usual = rng.choice(("training.epochs", "model.0.Dense.units", "training.optimizer.rmsprop.rho"))
    return rng.choice((".".join(keys), usual)) + rng.choice("=====:") + rng.choice(ODD)


SHIPPED = [path.read_text("utf-8") for path in sorted(CONFIGS.glob("*.yaml"))]


def outcome(path: Path, data: bytes, overrides: list[str]) -> str:
    """Whether a spec loads; if it does, it can be checked, dumped and loaded again.

    The schema accepts it too, and the loaded experiment is the same.
    """
    path.write_bytes(data)
    try:
        loaded = load(path, overrides=overrides)
    except SpecError as error:
        if not error.faults or not all(map(render, error.faults)):
            raise ValueError("refused without a message") from error
        return "refused"
    if not all(map(render, check.faults(loaded, own=layout.OWN))):
        raise ValueError("a fault without a message")
    if not overrides and (root := source.read(data.decode("utf-8-sig"), source="").root):
        VALIDATOR.validate(root.plain())
    text = dump(loaded.experiment)
    path.write_text(text, "utf-8")
    # Other tools read YAML 1.1.
    again = (load(path).experiment, Experiment.model_validate(yaml.safe_load(text)))
    if repr(again) != repr((loaded.experiment,) * 2):
        raise ValueError("the dumped spec differs")
    return "loaded"


def run(seed: int, numbers: range) -> dict[str, Any]:
    """Reads so many changed specs.

    Raises:
        SystemExit: one ended in another exception or took too long.
    """
    counts, slowest = {"refused": 0, "loaded": 0}, (0.0, -1)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        # Beside the shipped ones, because some extend others.
        shutil.copytree(CONFIGS, folder, dirs_exist_ok=True)
        path = Path(folder) / "changed.yaml"
        for number in numbers:
            data, overrides = changed(seed, number)
            start = time.process_time()
            try:
                counts[outcome(path, data, overrides)] += 1
            except Exception as error:
                raise SystemExit(_report(seed, number, data, overrides, repr(error))) from error
            seconds = time.process_time() - start
            slowest = max(slowest, (seconds, number))
            if seconds > LONGEST:
                raise SystemExit(_report(seed, number, data, overrides, f"{seconds:.1f} s"))
    return counts | {
        "seconds": round(time.perf_counter() - began, 1),
        "slowest": round(slowest[0], 3),
        "slowest_number": slowest[1],
        "megabytes": megabytes(),
    }


def megabytes() -> float:
    """The peak memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():
        # Of this program alone; `ru_maxrss` includes its parent before `exec`.
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return round(int(found[1]) / 1e3, 1) if found else 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, kilobytes elsewhere.
    return round(most / (1e6 if sys.platform == "darwin" else 1e3), 1)


def _report(seed: int, number: int, data: bytes, overrides: list[str], what: str) -> str:
    text = data.decode("utf-8", "backslashreplace")
    return f"seed {seed}, number {number}: {what}\noverrides {overrides}\n{text}"


def main() -> None:
    """Reads the arguments and prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--only", type=int)
    arguments = parser.parse_args()
    numbers = range(arguments.count)
    if arguments.only is not None:
        numbers = range(arguments.only, arguments.only + 1)
    print(json.dumps(run(arguments.seed, numbers)))


if __name__ == "__main__":
    main()
