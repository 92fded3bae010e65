"""How a smoke run shows: a bar on a terminal, a line per spec elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from nnrun import layout
from nnrun.cli import console, smoke_report
from nnrun.cli.noise import Noise
from nnrun.cli.progress import epoch_line
from nnrun.cli.tried import Tried
from nnrun.history import Logs


class SmokeWatcher:
    """The Observer of one trial after another; while entered, TensorFlow's noise goes to a log.

    Args:
        specs: how many there are to be tried.
    """

    def __init__(self, specs: int) -> None:
        self.path: Path | None = None
        self._specs = specs
        self._noise = Noise()
        self._epochs = 1

    def __enter__(self) -> Self:
        self.console = console.stderr(self._noise.__enter__().terminal)
        self._draws = self.console.is_terminal and not self.console.is_dumb_terminal
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}  {task.fields[stage]}", markup=False),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self._draws,
            transient=True,
        )
        self._task = self._bar.add_task("", total=self._specs, stage="")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self._noise.__exit__()

    def began(self, spec: str) -> None:
        """Names the spec that is tried."""
        self._bar.update(self._task, description=spec, stage="reading")

    def ended(self, each: Tried) -> None:
        """Says how a trial went; what comes until the next one has a folder is in no log."""
        self._noise.leave_log()
        self.path = None
        self._bar.advance(self._task)
        if not self._draws:
            self.console.print(smoke_report.line(each), markup=False)

    def stage(self, text: str) -> None:
        """Names what is being done."""
        self._bar.update(self._task, stage=text)

    def run_began(self, path: Path) -> None:
        """From now on there is a log to write to."""
        self.path = path
        self._noise.move_to(path / layout.LOG)
        self.stage("training")

    def notice(self, text: str) -> None:
        """Is in the log only: of a few rows it says nothing about the experiment."""
        self._noise.note(f"note: {text}")

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Nothing to show."""
        self._epochs = epochs

    def steps_done(self, step: int) -> None:
        """Nothing to show."""

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Is in the log only."""
        self._noise.note(epoch_line(epoch, self._epochs, logs, seconds))
