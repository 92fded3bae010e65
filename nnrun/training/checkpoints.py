"""What a run keeps while it trains, so that it can go on to the same bytes after any end."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.runs import Run, arrays, files, layout, record
from nnrun.training.state import State
from nnrun.types import Array, History

# Of the time since training began, what all checkpoints together may take.
SHARE = 0.05
# Should the newest turn out to be damaged, there is one before it.
KEPT = 2

_ABOUT = "about"
_IS_ABOUT = record.having(
    epochs=record.is_count,
    stopped=lambda value: isinstance(value, bool),
    variables=record.is_count,
    callbacks=record.each(lambda value: isinstance(value, dict)),
    history=record.by_name(record.each(record.is_number)),
    epoch_seconds=record.each(record.is_number),
    seconds=record.is_number,
    grown=record.by_name(record.having(size=record.is_count, digest=record.is_text)),
)


@dataclass(frozen=True)
class Grown:
    """How far a file had grown that a callback adds to.

    Args:
        size: in bytes.
        digest: of so many bytes.
    """

    size: int
    digest: str


@dataclass(frozen=True)
class Checkpoint:
    """A state of training with what the run folder knew of it.

    Args:
        state: of model, optimizer and callbacks.
        history: of all epochs so far.
        epoch_seconds: how long each of them took.
        seconds: spent on the run in all.
        grown: the files that callbacks add to, by their names in the run folder.
    """

    state: State
    history: History
    epoch_seconds: tuple[float, ...]
    seconds: float
    grown: Mapping[str, Grown]


class CheckpointSchedule:
    """Says when a checkpoint is due.

    After the first epoch, and then whenever all of them together, the next included, take no more
    than `SHARE` of the time. So a slow epoch is always kept, and of fast ones every so many.
    """

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spent = self._last = 0.0

    @property
    def is_due(self) -> bool:
        """Whether to write one now."""
        return self._spent + self._last <= SHARE * (time.perf_counter() - self._began)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Within it one is written."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._last = time.perf_counter() - began
            self._spent += self._last


def write(run: Run, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint and lets go of those before the last.

    Raises:
        RunError: the disk is full, or the folder is gone or may not be written.
    """
    values: dict[str, Array] = {}
    about = json.dumps(_about(checkpoint, values))
    values[_ABOUT] = np.frombuffer(about.encode(), np.uint8)
    with run.replacing(layout.checkpoint(checkpoint.state.epochs)) as passing:
        # Stored as they are: weights are noise, which takes time to pack and stays as large.
        arrays.save(passing, values, compressed=False)
    for _, path in run.checkpoints()[KEPT:]:
        with suppress(OSError):
            path.unlink()


def grown(run: Run, names: Iterable[str]) -> dict[str, Grown]:
    """How far the files have grown that callbacks add to; they would outlive a power cut by now.

    Raises:
        RunError: one of them cannot be read.
    """
    found = {}
    for name in names:
        content = run.settled(name)
        found[name] = Grown(len(content), files.checksum(content))
    return found


def latest(run: Run) -> tuple[Checkpoint | None, list[str]]:
    """The last checkpoint of a run that can be gone on from, and why those after it cannot."""
    reasons: list[str] = []
    for _, path in run.checkpoints():
        try:
            found = _read(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reasons.append(f"{path.relative_to(run.path)} is damaged: {error}")
            continue
        if not (changed := _changed(run, found)):
            return found, reasons
        name = path.relative_to(run.path)
        reasons.append(f"{name} does not count, as {changed} was damaged or edited")
    return None, reasons


def _changed(run: Run, checkpoint: Checkpoint) -> str:
    """A file that callbacks add to, if it does not begin as it was when this was written."""
    for name, known in checkpoint.grown.items():
        path = run.path / name
        # The names come from a file, and that may come from anywhere.
        if path.resolve().is_relative_to(run.path.resolve()):
            try:
                content = files.read(path)[: known.size]
            except OSError:
                return name
            if files.checksum(content) != known.digest:
                return name
    return ""


def forget(run: Run, *, after: int) -> None:
    """Removes the checkpoints of later epochs, from which the run does not go on.

    Raises:
        RunError: they may not be removed.
    """
    for epochs, path in run.checkpoints():
        if epochs > after:
            run.remove(path)


def clear(run: Run) -> None:
    """Removes all checkpoints; what may not be removed stays."""
    shutil.rmtree(run.path / layout.CHECKPOINT, ignore_errors=True)


def _about(checkpoint: Checkpoint, values: dict[str, Array]) -> dict[str, Any]:
    """All of a checkpoint but its arrays, which are put into `values` under names of their own."""
    state = checkpoint.state
    for index, variable in enumerate(state.variables):
        values[f"variable-{index}"] = variable
    return {
        "epochs": state.epochs,
        "stopped": state.stopped,
        "variables": len(state.variables),
        "callbacks": [
            {
                name: _packed(value, f"callback-{index}-{name}", values)
                for name, value in each.items()
            }
            for index, each in enumerate(state.callbacks)
        ],
        "history": checkpoint.history.epochs,
        "epoch_seconds": list(checkpoint.epoch_seconds),
        "seconds": checkpoint.seconds,
        "grown": {name: asdict(each) for name, each in checkpoint.grown.items()},
    }


def _packed(value: Any, name: str, values: dict[str, Array]) -> Any:
    """A value as JSON has it; arrays by their names."""
    match value:
        case list() | tuple():
            return {
                "arrays": [_packed(each, f"{name}-{n}", values) for n, each in enumerate(value)]
            }
        case np.ndarray():
            values[name] = value
            return {"array": name}
        case np.generic():
            values[name] = np.asarray(value)
            return {"scalar": name}
    return value


def _unpacked(value: Any, values: Mapping[str, Array]) -> Any:
    match value:
        case {"arrays": list(parts)}:
            return [_unpacked(part, values) for part in parts]
        case {"array": str(name)}:
            return values[name]
        case {"scalar": str(name)}:
            return values[name][()]
    return value


def _read(path: Path) -> Checkpoint:
    values = arrays.load(files.read(path))
    about = json.loads(values[_ABOUT].tobytes())
    record.check_depth(about)
    if not _IS_ABOUT(about):
        raise ValueError("it does not say what a checkpoint says")
    return Checkpoint(
        State(
            about["epochs"],
            about["stopped"],
            tuple(values[f"variable-{index}"] for index in range(about["variables"])),
            tuple(
                {name: _unpacked(value, values) for name, value in each.items()}
                for each in about["callbacks"]
            ),
        ),
        History(about["history"]),
        tuple(about["epoch_seconds"]),
        about["seconds"],
        {name: Grown(**each) for name, each in about["grown"].items()},
    )
