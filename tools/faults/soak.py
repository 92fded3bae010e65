"""Trains in one process again and again: memory and open files must not grow.

    python tools/faults/soak.py --minutes 10 --ways seeds runs folds epochs

`seeds` is one `nnrun train SPEC --seeds N`; `runs` trains run after run, each built anew; `folds`
trains fold after fold of one cross-validation, as a worker of `nnrun kfold` does; `epochs` is one
run with many epochs. The first third of the time is for warming up. Over the rest a line is fitted
through the resident memory, which may rise by 2 %, and as many files must be open at the end as after
the first third.

What XLA has compiled TensorFlow keeps as long as the process lives, 8 MB for each spec. So `runs`,
which builds anew what could be used again, is of the graph engine.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import specs
import typer

from nnrun.types import Observer

MOST_GROWTH = 0.02
EVERY_SECONDS = 1.0
MOST_SEEDS_A_SECOND = 3
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """The process at one moment.

    Args:
        seconds: since it began.
        bytes: resident.
        files: open.
    """

    seconds: float
    bytes: int
    files: int


def sample(began: float) -> Sample:
    """How it is now, after what is not needed any more has been freed."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(list(Path("/proc/self/fd").iterdir()))
    return Sample(time.monotonic() - began, pages * PAGE, files)


class Enough(KeyboardInterrupt):
    """The time is over; a run that is being trained ends as by Ctrl-C."""


@dataclass
class Watch:
    """Takes samples for some time."""

    seconds: float
    began: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)

    def turn(self) -> None:
        """Takes a sample.

        Raises:
            Enough: the time is over.
        """
        self.samples.append(sample(self.began))
        if self.samples[-1].seconds > self.seconds:
            raise Enough


def judged(name: str, samples: list[Sample]) -> tuple[str, bool]:
    """What the samples say, as a line, and whether it is well."""
    settled = [each for each in samples if each.seconds > samples[-1].seconds / 3]
    times = np.array([each.seconds for each in settled])
    sizes = np.array([each.bytes for each in settled]) / 1e6
    slope, start = np.polyfit(times - times[0], sizes, 1)
    growth = slope * (times[-1] - times[0]) / start
    first, last = settled[0], settled[-1]
    is_well = growth <= MOST_GROWTH and last.files == first.files
    line = (
        f"{name}: {len(samples)} samples in {last.seconds:.0f} s, after warming up "
        f"{first.bytes / 1e6:.1f} MB and {first.files} files, at the end {last.bytes / 1e6:.1f} MB "
        f"and {last.files} files; {growth:+.2%}, {slope * 60:+.2f} MB a minute"
    )
    return line + ("" if is_well else "  GROWS"), is_well


def seeds(folder: Path, watch: Watch) -> None:
    """One command with many seeds."""
    from nnrun.cli.app import app

    spec = specs.written(folder, "digits", specs.DIGITS)
    count = int(MOST_SEEDS_A_SECOND * watch.seconds)
    threading.Thread(target=_interrupt, args=(watch,), daemon=True).start()
    runs = ["--runs", str(folder / "runs"), "--seeds", str(count)]
    try:
        app(["train", str(spec), *runs], standalone_mode=False)
    except typer.Exit:
        raise Enough from None


def _interrupt(watch: Watch) -> None:
    """Takes samples, and stops the command when the time is over."""
    try:
        while True:
            time.sleep(EVERY_SECONDS)
            watch.turn()
    except Enough:
        os.kill(os.getpid(), signal.SIGINT)


def runs(folder: Path, watch: Watch) -> None:
    """Run after run, each with a model of its own."""
    from nnrun.cli.app import app

    graph = {"training": specs.DIGITS["training"] | {"engine": "graph"}}
    spec = specs.written(folder, "digits", specs.DIGITS | graph)
    while True:
        app(["train", str(spec), "--runs", str(folder / "runs")], standalone_mode=False)
        shutil.rmtree(folder / "runs")
        watch.turn()


def folds(folder: Path, watch: Watch) -> None:
    """Fold after fold with one model, as a worker of `nnrun kfold` has them."""
    from nnrun.data import splits
    from nnrun.experiment import inputs
    from nnrun.experiment.fold import build, train

    raw = inputs.load_data(_loaded(folder, "boston", specs.BOSTON))
    rule = raw.spec.validation.kfold
    assert rule
    parts = itertools.cycle(splits.folds(rule, raw.dataset, seed=raw.seed))
    observer, previous = Observed(), None
    for fold in parts:
        taken = inputs.prepare_fold(raw, fold)
        previous = build(taken, observer, previous=previous)
        train(previous, _folder(folder), context=_origin(), observer=observer)
        shutil.rmtree(folder / "runs")
        watch.turn()


def epochs(folder: Path, watch: Watch) -> None:
    """One run of very many epochs."""
    from nnrun.experiment import fold

    spec = specs.DIGITS | {"training": specs.DIGITS["training"] | {"epochs": 10**7}}
    taken = fold.load_and_prepare(_loaded(folder, "long", spec))
    observer = Observed(watch)
    fold.train(fold.build(taken, observer), _folder(folder), context=_origin(), observer=observer)


def _loaded(folder: Path, name: str, spec: dict[str, Any]) -> Any:
    from nnrun.spec.loading import load

    return load(specs.written(folder, name, spec)).experiment


def _folder(folder: Path) -> Callable[[dict[str, Any]], Any]:
    from nnrun.runs import create

    return lambda record: create(folder / "runs", "soak", now=datetime.now(), record=record)


def _origin() -> Any:
    from nnrun.experiment.recorder import RunContext

    return RunContext((), time.perf_counter(), 0.0)


class Observed(Observer):
    """An Observer that has a sample taken now and then, if it has a watch."""

    def __init__(self, watch: Watch | None = None) -> None:
        self._watch = watch
        self._last = time.monotonic()

    def epoch_ended(self, epoch: int, logs: Any, seconds: float) -> None:
        if self._watch and time.monotonic() - self._last > EVERY_SECONDS:
            self._last = time.monotonic()
            self._watch.turn()


WAYS = {"seeds": seeds, "runs": runs, "folds": folds, "epochs": epochs}


def soaked(way: str, seconds: float) -> list[Sample]:
    """Trains in one way for some time."""
    from nnrun.training import backend

    backend.load()
    folder = Path(tempfile.mkdtemp(prefix="nnrun-soak-")).resolve()
    os.environ["KERAS_HOME"] = str(folder / "keras")
    watch = Watch(seconds)
    with Path(os.devnull).open("w") as null, redirect_stdout(null), redirect_stderr(null):
        try:
            WAYS[way](folder, watch)
        except KeyboardInterrupt:
            if watch.samples[-1].seconds < seconds:
                raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return watch.samples


def main() -> int:
    """Reads the arguments and trains, each way in a process of its own; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10, help="for each way")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--samples", type=Path, help="write all samples into this file of CSV")
    arguments = parser.parse_args()
    if len(arguments.ways) > 1:
        minutes = ["--minutes", str(arguments.minutes)]
        command = [sys.executable, __file__, *minutes]
        codes = [subprocess.call([*command, "--ways", way]) for way in arguments.ways]
        return max(codes)
    samples = soaked(arguments.ways[0], arguments.minutes * 60)
    if arguments.samples:
        rows = [f"{each.seconds:.1f},{each.bytes},{each.files}\n" for each in samples]
        arguments.samples.write_text("seconds,bytes,files\n" + "".join(rows))
    line, is_well = judged(arguments.ways[0], samples)
    print(line)
    return int(not is_well)


if __name__ == "__main__":
    sys.exit(main())
