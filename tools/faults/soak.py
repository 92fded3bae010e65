"""Trains many times in one process: memory and open files must not grow.

    python tools/faults/soak.py --minutes 10 --modes seeds runs folds epochs

`seeds` is one `nnrun train SPEC --seeds N`; `runs` trains one run after another, each with a new
model; `folds` trains the folds of one cross-validation again and again, as a worker of `nnrun kfold`
does; `epochs` is one run with many epochs. The first third of the time is for warming up. After it,
a line fitted to the resident memory may rise by 2 %, and at the end as many files must be open as
after the first third.

TensorFlow keeps what XLA has compiled as long as the process lives, 8 MB for each model. So `runs`,
which builds new models, uses the graph engine.
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
from typing import TYPE_CHECKING

import numpy as np
import specs
import typer

from nnrun.types import Logs, Observer

if TYPE_CHECKING:
    from nnrun.experiment.fold import Folder
    from nnrun.experiment.recorder import RunContext
    from nnrun.spec.experiment import Experiment

MAX_GROWTH = 0.02
INTERVAL = 1.0  # seconds between samples
SEEDS_PER_SECOND = 3
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """Seconds since the start, resident bytes and open files of this process."""

    seconds: float
    bytes: int
    files: int


class TimeOverError(KeyboardInterrupt):
    """The time is over; a run that is being trained ends as by Ctrl-C."""


@dataclass
class Watch(Observer):
    """Takes samples for some time; as an observer, also during training."""

    seconds: float
    began: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)

    def sample(self) -> None:
        """Takes a sample.

        Raises:
            TimeOverError: the time is over.
        """
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        files = len(list(Path("/proc/self/fd").iterdir()))
        self.samples.append(Sample(time.monotonic() - self.began, pages * PAGE, files))
        if self.samples[-1].seconds > self.seconds:
            raise TimeOverError

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        last = self.samples[-1].seconds if self.samples else 0.0
        if time.monotonic() - self.began > last + INTERVAL:
            self.sample()


def judge(name: str, samples: list[Sample]) -> bool:
    """Prints a line about the samples; returns whether memory and files stayed constant."""
    settled = [sample for sample in samples if sample.seconds > samples[-1].seconds / 3]
    times = np.array([sample.seconds for sample in settled])
    sizes = np.array([sample.bytes for sample in settled]) / 1e6
    slope, start = np.polyfit(times - times[0], sizes, 1)
    growth = slope * (times[-1] - times[0]) / start
    first, last = settled[0], settled[-1]
    is_constant = growth <= MAX_GROWTH and last.files == first.files
    print(
        f"{name}: {len(samples)} samples in {last.seconds:.0f} s, after warming up "
        f"{first.bytes / 1e6:.1f} MB and {first.files} files, at the end {last.bytes / 1e6:.1f} MB "
        f"and {last.files} files; {growth:+.2%}, {slope * 60:+.2f} MB per minute"
        + ("" if is_constant else "  GROWS")
    )
    return is_constant


def seeds(folder: Path, watch: Watch) -> None:
    """One command with many seeds."""
    from nnrun.cli.app import app

    def sample_and_stop() -> None:
        try:
            while True:
                time.sleep(INTERVAL)
                watch.sample()
        except TimeOverError:
            os.kill(os.getpid(), signal.SIGINT)

    spec = specs.write(folder, "digits", specs.DIGITS)
    threading.Thread(target=sample_and_stop, daemon=True).start()
    count = int(SEEDS_PER_SECOND * watch.seconds)
    options = ["--runs", str(folder / "runs"), "--seeds", str(count)]
    try:
        app(["train", str(spec), *options], standalone_mode=False)
    except typer.Exit:
        raise TimeOverError from None


def runs(folder: Path, watch: Watch) -> None:
    """One run after another, each with a new model."""
    from nnrun.cli.app import app

    spec = specs.write(folder, "digits", specs.train(specs.DIGITS, engine="graph"))
    while True:
        app(["train", str(spec), "--runs", str(folder / "runs")], standalone_mode=False)
        shutil.rmtree(folder / "runs")
        watch.sample()


def folds(folder: Path, watch: Watch) -> None:
    """One fold after another with one model, as in a worker of `nnrun kfold`."""
    from nnrun.data import splits
    from nnrun.experiment import fold, inputs

    raw = inputs.load_data(_load(folder, specs.BOSTON))
    rule = raw.spec.validation.kfold
    assert rule
    setup = None
    for part in itertools.cycle(splits.folds(rule, raw.dataset, seed=raw.seed)):
        setup = fold.build(inputs.prepare_fold(raw, part), Observer(), previous=setup)
        fold.train(setup, _folder(folder), context=_context(), observer=Observer())
        shutil.rmtree(folder / "runs")
        watch.sample()


def epochs(folder: Path, watch: Watch) -> None:
    """One run of very many epochs."""
    from nnrun.experiment import fold

    spec = _load(folder, specs.train(specs.DIGITS, epochs=10**7))
    setup = fold.build(fold.load_and_prepare(spec), watch)
    fold.train(setup, _folder(folder), context=_context(), observer=watch)


def _load(folder: Path, spec: specs.Spec) -> Experiment:
    from nnrun.spec.loading import load

    return load(specs.write(folder, "soak", spec)).experiment


def _folder(folder: Path) -> Folder:
    from nnrun.runs import create

    return lambda record: create(folder / "runs", "soak", now=datetime.now(), record=record)


def _context() -> RunContext:
    from nnrun.experiment.recorder import RunContext

    return RunContext((), time.perf_counter(), 0.0)


MODES: dict[str, Callable[[Path, Watch], None]] = {
    "seeds": seeds,
    "runs": runs,
    "folds": folds,
    "epochs": epochs,
}


def soak(mode: str, seconds: float) -> list[Sample]:
    """Trains for some time."""
    from nnrun.training import backend

    backend.load()
    watch = Watch(seconds)
    with (
        tempfile.TemporaryDirectory(prefix="nnrun-soak-") as name,
        Path(os.devnull).open("w") as null,
        redirect_stdout(null),
        redirect_stderr(null),
    ):
        folder = Path(name).resolve()
        os.environ["KERAS_HOME"] = str(folder / "keras")
        try:
            MODES[mode](folder, watch)
        except KeyboardInterrupt:
            if watch.samples[-1].seconds < seconds:
                raise
    return watch.samples


def main() -> int:
    """Reads the arguments and trains, each mode in its own process; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10, help="for each mode")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    arguments = parser.parse_args()
    if len(arguments.modes) > 1:
        command = [sys.executable, __file__, "--minutes", str(arguments.minutes)]
        return max(subprocess.call([*command, "--modes", mode]) for mode in arguments.modes)
    [mode] = arguments.modes
    return int(not judge(mode, soak(mode, arguments.minutes * 60)))


if __name__ == "__main__":
    sys.exit(main())
