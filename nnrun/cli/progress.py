"""How training shows: a bar on a terminal, a line per epoch elsewhere, both in the log."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nnrun import layout
from nnrun.cli import console
from nnrun.cli.noise import Noise
from nnrun.history import Logs


class Watcher:
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
        console.say_meanwhile(f"reading {dataset}", console.stderr())

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
        self._say(self._subject or f"run {console.short(path)}")

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
