"""Progress of training: a bar on a terminal, a line per epoch elsewhere, both in the log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.progress import TimeRemainingColumn as Remaining

from nnrun.cli import console, summary
from nnrun.runs import Run, layout
from nnrun.spec.text import escape_text
from nnrun.training.backend import Noise
from nnrun.types import Logs, Observer

MOST_BARS = 12  # with more finished folds, the first ones are hidden
PRINT_SECONDS = 10.0  # without bars, a fold prints an epoch at most this often
METRICS_WIDTH = 48  # characters of the metrics beside a bar


def epoch_line(epoch: int, epochs: int, logs: Logs, seconds: float) -> str:
    """The line of an epoch, counted from 0, printed without a bar."""
    return f"epoch {epoch + 1}/{epochs}  {'  '.join(_formatted(logs))}  {seconds:.2f} s"


def shorten_logs(logs: Logs) -> str:
    """As many metrics as fit beside a bar."""
    parts = _formatted(logs)
    while len(parts) > 1 and sum(map(len, parts)) > METRICS_WIDTH:
        parts.pop()
    return "  ".join(parts)


def _formatted(logs: Logs) -> list[str]:
    return [f"{name} {value:.4f}" for name, value in logs.items()]


class _EpochBar(Observer):
    _bar: Progress
    task: TaskID
    _epoch, _epochs, _steps = 0, 1, 1

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        self._epoch, self._epochs, self._steps = epoch, epochs, steps
        self._bar.update(self.task, total=epochs * steps)

    def steps_done(self, step: int) -> None:
        self._bar.update(self.task, completed=self._epoch * self._steps + step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        done = (epoch + 1) * self._steps
        self._bar.update(self.task, completed=done, metrics=shorten_logs(logs))


class RunProgress(Observer):
    """Shows a run, `run` once its folder exists: bars on a terminal, else lines; and a log."""

    task: TaskID

    def __init__(self, title: str | None = None) -> None:
        self._title = title
        self.run: Run | None = None

    def _start_bar(self, out: Console, width: int, *columns: ProgressColumn) -> None:
        self.console = out
        self._bar = console.make_progress(
            out,
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=width),
            TextColumn("{task.fields[metrics]}", markup=False),
            *columns,
        )
        self.task = self._bar.add_task("starting", total=None, metrics="")

    def _log(self, line: str) -> None:
        raise NotImplementedError

    def stage(self, text: str) -> None:
        """Shows the current step."""
        self._bar.update(self.task, description=text)

    def run_began(self, path: Path, parts: int = 1) -> None:
        """Prints the title."""
        self.run = Run(path)
        self.print(self._title or f"run {console.relative_path(path)}")

    def notice(self, text: str) -> None:
        """Logs and prints a notice."""
        self._log(f"note: {text}")
        self.console.print(f"note: {text}")

    def print(self, line: str) -> None:
        """Logs a line, and prints it where there is no bar."""
        self._log(line)
        if not console.can_draw(self.console):
            self.console.print(line)


class LoggedProgress(RunProgress):
    """While it is entered, messages of TensorFlow go to the log of the run."""

    def __enter__(self) -> Self:
        self._noise = Noise().__enter__()
        self._start_bar(console.stderr(self._noise.terminal), 24, Elapsed(), Remaining())
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self._noise.__exit__()

    def _log(self, line: str) -> None:
        self._noise.note(line)

    def run_began(self, path: Path, parts: int = 1) -> None:
        """Opens the log and prints the title."""
        self._noise.move_to(path / layout.LOG)
        super().run_began(path, parts)


class TrainingProgress(LoggedProgress, _EpochBar):
    """Shows one training."""

    def reading(self, dataset: str) -> None:
        """Shows the data set that is read, before there is a bar; a download shows its own."""
        console.print_status(f"reading {dataset}", console.stderr())

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Moves the bar."""
        super().epoch_began(epoch, epochs, steps)
        self.stage(f"epoch {epoch + 1}/{epochs}")

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Moves the bar, and prints a line where there is none."""
        super().epoch_ended(epoch, logs, seconds)
        self.print(epoch_line(epoch, self._epochs, logs, seconds))


class FoldProgress(RunProgress):
    """Shows a cross-validation: a bar per fold on a terminal, lines elsewhere."""

    def __init__(self, title: str | None = None) -> None:
        super().__init__(title)
        self._start_bar(console.stderr(), 20, Elapsed())
        self._folds: dict[str, _FoldProgress] = {}
        self._ended: list[str] = []
        self._has_lost_log = False

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def run_began(self, path: Path, parts: int = 1) -> None:
        """Prints the title."""
        self._bar.update(self.task, description="folds", total=parts, completed=0)
        super().run_began(path, parts)

    def part_observer(self, part: str) -> Observer:
        """Observes one fold."""
        if part not in self._folds:
            self._folds[part] = _FoldProgress(part, self, self._bar)
        return self._folds[part]

    def part_ended(self, part: str, error: str | None) -> None:
        """Prints the result of a fold."""
        self.part_observer(part)
        self._folds[part].end(error)
        self._ended.append(part)
        self._bar.update(self.task, description="folds", completed=len(self._ended))
        if len(self._ended) > MOST_BARS:
            self._bar.update(self._folds[self._ended[-1 - MOST_BARS]].task, visible=False)

    def _log(self, line: str) -> None:
        if not self.run:
            return
        try:
            with (self.run.path / layout.LOG).open("a", encoding="utf-8") as log:
                log.write(f"{escape_text(line)}\n")
        except OSError as error:
            # An incomplete log must not end the training.
            if not self._has_lost_log:
                summary.print_lost_log(self.run, error, self.console)
            self._has_lost_log = True


class _FoldProgress(_EpochBar):
    def __init__(self, part: str, run: FoldProgress, bar: Progress) -> None:
        self._part = part.replace("-", " ")
        self._run = run
        self._began = self._printed = time.monotonic()
        self._last = self._metrics = ""
        self._bar = bar
        self.task = bar.add_task(self._part, total=None, metrics="")

    def stage(self, text: str) -> None:
        self._bar.update(self.task, metrics=text)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        super().epoch_ended(epoch, logs, seconds)
        self._metrics = shorten_logs(logs)
        self._last = epoch_line(epoch, self._epochs, logs, seconds)
        if time.monotonic() - self._printed > PRINT_SECONDS:
            self._printed = time.monotonic()
            self._run.print(f"{self._part}  {self._last}")

    def end(self, error: str | None) -> None:
        seconds = time.monotonic() - self._began
        # Without the seconds of the last epoch.
        result = f"failed: {error}" if error else self._last.rpartition("  ")[0]
        self._run.print(f"{self._part}  {result}  {seconds:.1f} s")
        self._bar.update(self.task, metrics=result if error else self._metrics)
