"""Damages run folders at random: each command works or refuses, and shows no wrong number as right.

    python tools/faults/mutations.py --count 1000 --seed 0

The folders are those of a finished run, of a cross-validation, of a run that was interrupted and of
one that was killed. Each is copied, damaged, and given to `list`, `show`, `compare` and `resume`,
with and without `--json`. A case that fails is printed; `--only NUMBER` repeats it.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path

import specs
from damage import damage
from folders import Contents, contents, differences
from forkserver import HEAVY, LIGHT, PATIENCE, Answer, ForkServer

PATIENCE_READING = 10.0  # seconds for a command that does not train
READING = ("list", "show", "compare")
COMMANDS = (*READING, "resume")
MAX_NUMBERS = 3  # wrong numbers printed of one answer
WARNINGS = ("damaged", "skipped:", "error:", "cannot be read", "is gone")
"""Words that tell that a run is not to be trusted."""
SIZE = re.compile(r"[\d.,]+ (bytes|[kMG]?B)\b")
VOLATILE_KEYS = ("path", "bytes")
"""Keys whose values differ between copies of a run."""


@dataclass(frozen=True)
class Intact:
    """An undamaged run folder.

    Args:
        run: its path.
        finished: the contents of the run after it is resumed; None if this one is finished.
    """

    name: str
    run: Path
    finished: Contents | None = None

    @property
    def lines(self) -> list[bytes]:
        """The epoch table while it grows; later the record holds its digest."""
        lines = _read_table(self.run).splitlines(keepends=True)
        return lines if lines[0].endswith(b",crc32\n") else []

    def earlier(self, folder: Path) -> Iterator[Intact]:
        """Copies of this run as if it had been killed after earlier epochs."""
        for count in range(1, len(self.lines)):
            name = f"{self.name}-{count}"
            run = Path(shutil.copytree(self.run, folder / name / self.run.name))
            (run / "history.csv").write_bytes(b"".join(self.lines[:count]))
            yield Intact(name, run, self.finished)

    def equivalent(self, run: Path) -> str:
        """The name of the earlier run with the same epoch table as a damaged copy.

        A table that lost whole lines at its end equals that of an earlier kill.
        """
        table = _read_table(run)
        whole = table[: table.rfind(b"\n") + 1].splitlines(keepends=True)
        is_cut = 0 < len(whole) < len(self.lines) and whole == self.lines[: len(whole)]
        return f"{self.name}-{len(whole)}" if is_cut else self.name


def _read_table(run: Path) -> bytes:
    path = run / "history.csv"
    return path.read_bytes() if path.is_file() else b""


def make_runs(server: ForkServer, folder: Path) -> list[Intact]:
    """A finished run, and two of the same spec: one interrupted, one killed."""
    changes = {"epochs": 10, "engine": "fit", "batch_size": 16, "callbacks": specs.CALLBACKS}
    spec = specs.write(folder, "digits", specs.train(specs.DIGITS, **changes))
    finished = _finish(server, "train", spec)
    expected, _ = contents(finished)
    return [
        Intact("finished", finished),
        Intact("interrupted", _stop(server, spec, signal.SIGINT), expected),
        Intact("killed", _stop(server, spec, signal.SIGKILL), expected),
    ]


def make_other(server: ForkServer, folder: Path) -> Path:
    """A finished run of the same rows and another model, to compare with."""
    first: dict[str, object] = {"Dense": {"units": 20, "activation": "tanh"}}
    model = [first, specs.DIGITS["model"][1]]
    return _finish(server, "train", specs.write(folder, "other", {**specs.DIGITS, "model": model}))


def _finish(server: ForkServer, verb: str, spec: Path) -> Path:
    root = spec.with_suffix(".finished")
    answer = server.run(verb, spec, "--runs", root)
    assert answer.code == 0, answer.err
    return next(root.iterdir())


def _stop(server: ForkServer, spec: Path, number: signal.Signals) -> Path:
    """A run that a signal stops after three epochs."""
    root = spec.with_suffix(f".{number.name}")
    pending = server.start("train", spec, "--runs", root)
    until = time.monotonic() + PATIENCE
    while not any(_read_table(run).count(b"\n") > 3 for run in root.glob("*")):
        assert time.monotonic() < until, "trained no epoch"
        assert not pending.ended(0.02), "ended before it could be stopped"
    pending.send_signal(number)
    pending.answer()
    return next(root.iterdir())


@dataclass(frozen=True)
class Output:
    """The output of a command, with the folder of all runs written as `ROOT`."""

    out: str
    err: str
    is_json: bool

    @property
    def has_warning(self) -> bool:
        """Whether it warns that a run is not to be trusted, or was left out."""
        return any(word in text for word in WARNINGS for text in (self.out, self.err))

    def wrong_numbers(self, intact: Output) -> Iterator[str]:
        """Numbers that the output for the intact run does not show, as sentences."""
        if not self.is_json:
            if more := sorted(_numbers(self.out) - _numbers(intact.out)):
                yield f"shows {', '.join(more)} as right"
            return
        right = dict(_leaves(json.loads(intact.out)))
        for path, value in _leaves(json.loads(self.out)):
            key = re.split(r"[.\[]", path)[-1]
            # A missing value is not wrong.
            if isinstance(value, str):
                counts = key == "status" or bool(re.search(r"\d", value))
            else:
                counts = isinstance(value, int | float) and not isinstance(value, bool)
            if counts and key not in VOLATILE_KEYS and right.get(path) != value:
                yield f"shows {path} {value!r} as right, not {right.get(path)!r}"


def _numbers(text: str) -> set[str]:
    """All words with a digit."""
    words = re.split(r"[\s│┃┏┓┗┛━─]+", SIZE.sub(" ", text))
    return {word for word in words if re.search(r"\d", word)}


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The scalars of a JSON document, each with its path."""
    match value:
        case dict():
            for key, item in value.items():
                yield from _leaves(item, f"{path}.{key}")
        case list():
            for index, item in enumerate(value):
                yield from _leaves(item, f"{path}[{index}]")
        case _:
            yield path.removeprefix("."), value


@dataclass(frozen=True)
class Bench:
    """Damages copies of runs and checks what the commands show of them.

    Args:
        light, heavy: run the commands that only read, and those that may train.
        runs: the intact runs.
        other: another run, to compare them with.
        seed: of the damage.
        shown: the output for each intact run, by name, command and `--json`.
    """

    folder: Path
    light: ForkServer
    heavy: ForkServer
    runs: list[Intact]
    other: Path
    seed: int
    shown: dict[tuple[str, str, bool], Output] = field(default_factory=dict)

    def read_intact(self) -> None:
        """Runs each command on the intact runs."""
        for intact in self.runs:
            self._read(intact, COMMANDS)
            for earlier in intact.earlier(self.folder):
                self._read(earlier, READING)

    def _read(self, intact: Intact, commands: Sequence[str]) -> None:
        for command, as_json in product(commands, (False, True)):
            with self._copy(intact) as run:
                _, output = self._run(command, run, as_json=as_json)
            self.shown[intact.name, command, as_json] = output

    @contextmanager
    def _copy(self, intact: Intact) -> Iterator[Path]:
        """A temporary copy of a run in its own folder."""
        with tempfile.TemporaryDirectory(prefix="case-", dir=self.folder) as root:
            yield Path(shutil.copytree(intact.run, Path(root) / intact.run.name))

    def check(self, number: int) -> list[str]:
        """Damages a copy of a run and runs each command on it; returns the problems."""
        rng = random.Random(f"{self.seed} {number}")
        intact = self.runs[number % len(self.runs)]
        with self._copy(intact) as run:
            done = damage(rng, run)
            problems = list(self._find_problems(intact, run, number))
        return [f"{number} {intact.name}, {done}: {problem}" for problem in problems]

    def _find_problems(self, intact: Intact, run: Path, number: int) -> Iterator[str]:
        # `resume` comes last and once, because it changes the run.
        for command, as_json in (*product(READING, (False, True)), ("resume", number % 8 > 3)):
            name = f"{command}{' --json' if as_json else ''}"
            answer, output = self._run(command, run, as_json=as_json)
            yield from (f"{name}: {problem}" for problem in _end_problems(answer))
            if answer.code != 0 or output.has_warning:
                continue
            if command == "resume" and intact.finished is not None:
                # A resumed run has new numbers, which its folder shows.
                actual, broken = contents(run)
                wrong = [*broken, *differences(actual, intact.finished, complete=True)]
            else:
                known = self.shown[intact.equivalent(run), command, as_json]
                wrong = [*islice(output.wrong_numbers(known), MAX_NUMBERS)]
            yield from (f"{name}: {problem}" for problem in wrong)

    def _run(self, command: str, run: Path, *, as_json: bool) -> tuple[Answer, Output]:
        arguments: dict[str, tuple[object, ...]] = {
            "list": ("--runs", run.parent),
            "show": (run,),
            "compare": (self.other, run),
            "resume": (run,),
        }
        trains = command == "resume"
        server = self.heavy if trains else self.light
        pending = server.start(command, *arguments[command], *(["--json"] if as_json else []))
        answer = pending.answer(PATIENCE if trains else PATIENCE_READING)
        out, err = (text.replace(str(run.parent), "ROOT") for text in (answer.out, answer.err))
        return answer, Output(out, err, as_json)


def _end_problems(answer: Answer) -> Iterator[str]:
    if answer.code is None:
        yield "did not end"
    elif answer.code not in (0, 1, 2):
        yield f"ended with {answer.code}"
    if "Traceback" in answer.err:
        yield f"a traceback: {answer.err.strip().splitlines()[-1]}"
    elif answer.code in (1, 2) and not answer.err.strip():
        yield f"ended with {answer.code} without a message"


def main() -> int:
    """Reads the arguments and damages as many folders; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="only the case of this number")
    parser.add_argument("--jobs", type=int, default=2, help="cases at the same time")
    arguments = parser.parse_args()
    only = arguments.only
    numbers = range(arguments.count) if only is None else range(only, only + 1)
    failed = 0
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="nnrun-mutations-"))
        folder = Path(name).resolve()
        light = stack.enter_context(ForkServer(folder, modules=LIGHT))
        heavy = stack.enter_context(ForkServer(folder, modules=HEAVY))
        boston = specs.write(folder, "boston", specs.BOSTON)
        kfold = Intact("cross-validation", _finish(heavy, "kfold", boston))
        runs = [*make_runs(heavy, folder), kfold]
        bench = Bench(folder, light, heavy, runs, make_other(heavy, folder), arguments.seed)
        bench.read_intact()
        with ThreadPoolExecutor(arguments.jobs) as pool:
            for problems in pool.map(bench.check, numbers):
                print(*problems, sep="\n", end="\n" if problems else "", flush=True)
                failed += bool(problems)
    well = len(numbers) - failed
    print(f"{well} of {len(numbers)} damaged run folders show no wrong number and end well")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
