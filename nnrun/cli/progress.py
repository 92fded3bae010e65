"""How training shows: a bar on a terminal, a line per epoch elsewhere, both in the log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nnrun.cli import console, summary
from nnrun.runs import Run, layout
from nnrun.spec.text import escape_text
from nnrun.training.backend import Noise
from nnrun.types import Logs, Observer


class TrainingProgress:
    """An Observer that draws; while it is entered, TensorFlow's noise goes to the log.

    `path` is the run's folder as soon as there is one.

    Args:
        subject: what is said when the run begins; by default where its folder is.
    """

    def __init__(self, subject: str | None = None) -> None:
        self._subject = subject
        self.path: Path | None = None
        self._noise = Noise()
        self._steps = 1
        self._epochs = 1
        self._epoch = 0

    def reading(self, dataset: str) -> None:
        """Names the data set that is read before there is a bar; a download shows its own."""
        console.print_status(f"reading {dataset}", console.stderr())

    def __enter__(self) -> Self:
        terminal = self._noise.__enter__().terminal
        self._console = console.stderr(terminal)
        self._draws = self._console.is_terminal and not self._console.is_dumb_terminal
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[metrics]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._draws,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None, metrics="")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self._noise.__exit__()

    def stage(self, text: str) -> None:
        """Names what is being done."""
        self._bar.update(self._task, description=text)

    def run_began(self, path: Path) -> None:
        """From now on there is a log to write to."""
        self.path = path
        self._noise.move_to(path / layout.LOG)
        self._say(self._subject or f"run {console.relative_path(path)}")

    def notice(self, text: str) -> None:
        """Says what a person should know, on a terminal too."""
        self._noise.note(f"note: {text}")
        self._console.print(f"note: {text}", markup=False)

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Moves the bar."""
        self._epoch, self._epochs, self._steps = epoch, epochs, steps
        self._bar.update(
            self._task, description=f"epoch {epoch + 1}/{epochs}", total=epochs * steps
        )

    def steps_done(self, step: int) -> None:
        """Moves the bar."""
        self._bar.update(self._task, completed=self._epoch * self._steps + step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Prints a line where there is no bar."""
        self._bar.update(self._task, completed=(epoch + 1) * self._steps, metrics=fitting(logs))
        self._say(epoch_line(epoch, self._epochs, logs, seconds))

    def _say(self, line: str) -> None:
        self._noise.note(line)
        if not self._draws:
            self._console.print(line, markup=False)


def epoch_line(epoch: int, epochs: int, logs: Logs, seconds: float) -> str:
    """An epoch, counted from 0, as it is printed where there is no bar."""
    return f"epoch {epoch + 1}/{epochs}  {'  '.join(_words(logs))}  {seconds:.2f} s"


def fitting(logs: Logs) -> str:
    """As many metrics as a bar has room for."""
    parts = _words(logs)
    while len(parts) > 1 and sum(map(len, parts)) > 48:
        parts.pop()
    return "  ".join(parts)


def _words(logs: Logs) -> list[str]:
    return [f"{name} {value:.4f}" for name, value in logs.items()]


# How a cross-validation shows: a progress line per fold, or plain lines off a terminal.

# More finished folds than these leave the screen again.
SHOWN = 12
# Off a terminal a fold says where it is this often at most.
EVERY_SECONDS = 10.0


class FoldProgress:
    """The audience of a cross-validation. `run` is its run as soon as there is one.

    Args:
        subject: what is said when the run begins; by default where its folder is.
    """

    def __init__(self, subject: str | None = None) -> None:
        self._subject = subject
        self.run: Run | None = None
        self._console = console.stderr()
        self._draws = self._console.is_terminal and not self._console.is_dumb_terminal
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[metrics]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._draws,
            transient=True,
        )
        self._whole = self._bar.add_task("starting", total=None, metrics="")
        self._lanes: dict[str, _FoldLine] = {}
        self._ended: list[str] = []
        self._parts = 0
        self._log_is_lost = False

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def stage(self, text: str) -> None:
        """Names what is being done."""
        self._bar.update(self._whole, description=text)

    def run_began(self, run: Run, parts: int) -> None:
        """From now on there is a log to write to."""
        self.run, self._parts = run, parts
        self._bar.update(self._whole, description="folds", total=parts, completed=0)
        self.say(self._subject or f"run {console.relative_path(run.path)}")

    def notice(self, text: str) -> None:
        """Says what a person should know, on a terminal too."""
        self._log(f"note: {text}")
        self._console.print(f"note: {text}", markup=False)

    def observer(self, part: str) -> Observer:
        """The line of a fold."""
        if part not in self._lanes:
            self._lanes[part] = _FoldLine(part, self, self._bar)
        return self._lanes[part]

    def ended(self, part: str, error: str | None) -> None:
        """Says how a fold went."""
        lane = self._lanes.get(part) or _FoldLine(part, self, self._bar)
        lane.end(error)
        self._ended.append(part)
        self._bar.update(self._whole, description="folds", completed=len(self._ended))
        if len(self._ended) > SHOWN:
            self._bar.update(self._lanes[self._ended[-1 - SHOWN]].task, visible=False)

    def say(self, line: str) -> None:
        """Prints a line where nothing is drawn, and keeps it in the log."""
        self._log(line)
        if not self._draws:
            self._console.print(line, markup=False)

    def _log(self, line: str) -> None:
        if not self.run:
            return
        try:
            with (self.run.path / layout.LOG).open("a", encoding="utf-8") as log:
                log.write(f"{escape_text(line)}\n")
        except OSError as error:
            # A log that is not whole must not end what still works.
            if not self._log_is_lost:
                summary.say_log_is_lost(self.run, error, self._console)
            self._log_is_lost = True


class _FoldLine:
    """The Observer of one fold."""

    def __init__(self, part: str, progress: FoldProgress, bar: Progress) -> None:
        self._part = part.replace("-", " ")
        self._lanes = progress
        self._bar = bar
        self._epoch, self._epochs, self._steps = 0, 1, 1
        self._began = self._said = time.monotonic()
        self._last = self._metrics = ""
        self.task = bar.add_task(self._part, total=None, metrics="")

    def stage(self, text: str) -> None:
        """Names what is being done."""
        self._bar.update(self.task, metrics=text)

    def run_began(self, path: Path) -> None:
        """Nothing to show."""

    def notice(self, text: str) -> None:
        """Is in the fold's own log."""

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Moves the bar."""
        self._epoch, self._epochs, self._steps = epoch, epochs, steps
        self._bar.update(self.task, total=epochs * steps)

    def steps_done(self, step: int) -> None:
        """Moves the bar."""
        self._bar.update(self.task, completed=self._epoch * self._steps + step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Says where the fold is, now and then."""
        self._metrics = fitting(logs)
        self._bar.update(self.task, completed=(epoch + 1) * self._steps, metrics=self._metrics)
        self._last = epoch_line(epoch, self._epochs, logs, seconds)
        if time.monotonic() - self._said > EVERY_SECONDS:
            self._said = time.monotonic()
            self._lanes.say(f"{self._part}  {self._last}")

    def end(self, error: str | None) -> None:
        """Says how it went."""
        took = time.monotonic() - self._began
        # Without the seconds of the last epoch, which say nothing about the fold.
        reached = self._last.rpartition("  ")[0]
        self._lanes.say(f"{self._part}  {f'failed: {error}' if error else reached}  {took:.1f} s")
        self._bar.update(self.task, metrics=f"failed: {error}" if error else self._metrics)
