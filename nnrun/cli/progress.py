"""Progress of training: a bar on a terminal, a line per epoch elsewhere, both in the log."""

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

MOST_BARS = 12
"""With more finished folds, the first ones are hidden."""
PRINT_SECONDS = 10.0
"""Without bars, a fold prints an epoch at most this often."""


class TrainingProgress(Observer):
    """Shows one training; while it is entered, messages of TensorFlow go to the log.

    `path` is the run folder once it exists.

    Args:
        title: printed when the run begins; by default the run folder.
    """

    def __init__(self, title: str | None = None) -> None:
        self._title = title
        self.path: Path | None = None
        self._noise = Noise()
        self._steps = 1
        self._epochs = 1
        self._epoch = 0

    def reading(self, dataset: str) -> None:
        """Shows the data set that is read, before there is a bar; a download shows its own."""
        console.print_status(f"reading {dataset}", console.stderr())

    def __enter__(self) -> Self:
        terminal = self._noise.__enter__().terminal
        self._console = console.stderr(terminal)
        self._draws = console.can_draw(self._console)
        self._bar = console.make_progress(
            self._console,
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[metrics]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._task = self._bar.add_task("starting", total=None, metrics="")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self._noise.__exit__()

    def stage(self, text: str) -> None:
        """Shows the current step."""
        self._bar.update(self._task, description=text)

    def run_began(self, path: Path, parts: int = 1) -> None:
        """Opens the log and prints the title."""
        self.path = path
        self._noise.move_to(path / layout.LOG)
        self._print(self._title or f"run {console.relative_path(path)}")

    def notice(self, text: str) -> None:
        """Prints a note, on a terminal too."""
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
        self._bar.update(
            self._task, completed=(epoch + 1) * self._steps, metrics=shorten_logs(logs)
        )
        self._print(epoch_line(epoch, self._epochs, logs, seconds))

    def _print(self, line: str) -> None:
        self._noise.note(line)
        if not self._draws:
            self._console.print(line, markup=False)


def epoch_line(epoch: int, epochs: int, logs: Logs, seconds: float) -> str:
    """The line of an epoch, counted from 0, printed without a bar."""
    return f"epoch {epoch + 1}/{epochs}  {'  '.join(_formatted(logs))}  {seconds:.2f} s"


def shorten_logs(logs: Logs) -> str:
    """As many metrics as fit beside a bar."""
    parts = _formatted(logs)
    while len(parts) > 1 and sum(map(len, parts)) > 48:
        parts.pop()
    return "  ".join(parts)


def _formatted(logs: Logs) -> list[str]:
    return [f"{name} {value:.4f}" for name, value in logs.items()]


class FoldProgress(Observer):
    """Shows a cross-validation: a bar per fold on a terminal, lines elsewhere.

    `run` is the run once it exists.

    Args:
        title: printed when the run begins; by default the run folder.
    """

    def __init__(self, title: str | None = None) -> None:
        self._title = title
        self.run: Run | None = None
        self._console = console.stderr()
        self._draws = console.can_draw(self._console)
        self._bar = console.make_progress(
            self._console,
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[metrics]}", markup=False),
            TimeElapsedColumn(),
        )
        self._whole = self._bar.add_task("starting", total=None, metrics="")
        self._lines: dict[str, _FoldLine] = {}
        self._ended: list[str] = []
        self._has_lost_log = False

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def stage(self, text: str) -> None:
        """Shows the current step."""
        self._bar.update(self._whole, description=text)

    def run_began(self, path: Path, parts: int = 1) -> None:
        """Opens the log and prints the title."""
        self.run = Run(path)
        self._bar.update(self._whole, description="folds", total=parts, completed=0)
        self.print(self._title or f"run {console.relative_path(path)}")

    def notice(self, text: str) -> None:
        """Prints a note, on a terminal too."""
        self._log(f"note: {text}")
        self._console.print(f"note: {text}", markup=False)

    def part_observer(self, part: str) -> Observer:
        """Observes one fold."""
        if part not in self._lines:
            self._lines[part] = _FoldLine(part, self, self._bar)
        return self._lines[part]

    def part_ended(self, part: str, error: str | None) -> None:
        """Prints the result of a fold."""
        self.part_observer(part)
        self._lines[part].end(error)
        self._ended.append(part)
        self._bar.update(self._whole, description="folds", completed=len(self._ended))
        if len(self._ended) > MOST_BARS:
            self._bar.update(self._lines[self._ended[-1 - MOST_BARS]].task, visible=False)

    def print(self, line: str) -> None:
        """Logs a line, and prints it where there are no bars."""
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
            # An incomplete log must not end the training.
            if not self._has_lost_log:
                summary.print_lost_log(self.run, error, self._console)
            self._has_lost_log = True


class _FoldLine(Observer):
    """Observes one fold."""

    def __init__(self, part: str, progress: FoldProgress, bar: Progress) -> None:
        self._part = part.replace("-", " ")
        self._folds = progress
        self._bar = bar
        self._epoch, self._epochs, self._steps = 0, 1, 1
        self._began = self._printed = time.monotonic()
        self._last = self._metrics = ""
        self.task = bar.add_task(self._part, total=None, metrics="")

    def stage(self, text: str) -> None:
        """Shows the current step."""
        self._bar.update(self.task, metrics=text)

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Moves the bar."""
        self._epoch, self._epochs, self._steps = epoch, epochs, steps
        self._bar.update(self.task, total=epochs * steps)

    def steps_done(self, step: int) -> None:
        """Moves the bar."""
        self._bar.update(self.task, completed=self._epoch * self._steps + step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Moves the bar, or prints the epoch now and then."""
        self._metrics = shorten_logs(logs)
        self._bar.update(self.task, completed=(epoch + 1) * self._steps, metrics=self._metrics)
        self._last = epoch_line(epoch, self._epochs, logs, seconds)
        if time.monotonic() - self._printed > PRINT_SECONDS:
            self._printed = time.monotonic()
            self._folds.print(f"{self._part}  {self._last}")

    def end(self, error: str | None) -> None:
        """Prints the result."""
        seconds = time.monotonic() - self._began
        # Without the seconds of the last epoch.
        last_epoch = self._last.rpartition("  ")[0]
        self._folds.print(
            f"{self._part}  {f'failed: {error}' if error else last_epoch}  {seconds:.1f} s"
        )
        self._bar.update(self.task, metrics=f"failed: {error}" if error else self._metrics)
