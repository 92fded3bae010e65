"""Checkpoints of a running training, from which it resumes with identical results.

A file that cannot be read or written is a RunError.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, NonNegativeInt, ValidationError

from nnrun.runs import Run, arrays, files, layout
from nnrun.training.state import State
from nnrun.types import Array, History

# Share of the time since training began that all checkpoints together may take.
SHARE = 0.05
# In case the newest is damaged.
KEPT = 2

_HEADER = "about"  # name of the JSON header among the arrays


class AppendedFile(BaseModel):
    """A file to which a callback appends: its size in bytes, and a digest of these bytes."""

    size: NonNegativeInt
    digest: str


@dataclass(frozen=True)
class Checkpoint:
    """A state of training, with the records of the epochs so far.

    Args:
        seconds: spent on the run in total.
        appended_files: the files to which callbacks append, by their names in the run folder.
    """

    state: State
    history: History
    epoch_seconds: tuple[float, ...]
    seconds: float
    appended_files: Mapping[str, AppendedFile]


class _Header(BaseModel):
    """A checkpoint without its arrays; a callback's attribute that is an array is its name."""

    epochs: NonNegativeInt
    stopped: bool
    variables: NonNegativeInt
    callbacks: list[dict[str, object]]
    history: dict[str, list[float]]
    epoch_seconds: list[float]
    seconds: float
    grown: dict[str, AppendedFile]


class CheckpointSchedule:
    """Decides when to write a checkpoint: whenever all of them take at most `SHARE` of the time.

    So every slow epoch has one, and some of many fast ones.
    """

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._total = self._last = 0.0

    def call_if_due(self, write: Callable[[], None]) -> None:
        """Calls a function that writes one, if it is due."""
        began = time.perf_counter()
        if self._total + self._last > SHARE * (began - self._began):
            return
        try:
            write()
        finally:
            self._last = time.perf_counter() - began
            self._total += self._last


def write(run: Run, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint, and deletes all but the last `KEPT`."""
    state = checkpoint.state
    values = {f"variable-{index}": variable for index, variable in enumerate(state.variables)}
    header = _Header(
        epochs=state.epochs,
        stopped=state.stopped,
        variables=len(state.variables),
        callbacks=[
            {
                name: _packed(attributes[name], f"callback-{index}-{name}", values)
                for name in attributes
            }
            for index, attributes in enumerate(state.callbacks)
        ],
        history=checkpoint.history.epochs,
        epoch_seconds=list(checkpoint.epoch_seconds),
        seconds=checkpoint.seconds,
        grown=dict(checkpoint.appended_files),
    )
    values[_HEADER] = np.frombuffer(json.dumps(header.model_dump()).encode(), np.uint8)
    with run.replacing(layout.checkpoint(state.epochs)) as temporary:
        # Compressing weights takes time and saves nothing.
        arrays.save(temporary, values, compressed=False)
    for _, path in run.checkpoints()[KEPT:]:
        with suppress(OSError):
            path.unlink()


def appended_files(run: Run, names: Iterable[str]) -> dict[str, AppendedFile]:
    """The files to which callbacks append, flushed to the disk."""
    contents = {name: run.settled(name) for name in names}
    return {
        name: AppendedFile(size=len(content), digest=files.checksum(content))
        for name, content in contents.items()
    }


def latest(run: Run) -> tuple[Checkpoint | None, list[str]]:
    """The last usable checkpoint of a run, and why later ones are not usable."""
    reasons: list[str] = []
    for _, path in run.checkpoints():
        name = path.relative_to(run.path)
        try:
            checkpoint = _read(path)
        except (OSError, ValueError, KeyError, RecursionError) as error:
            reasons.append(f"{name} is damaged: {error}")
            continue
        changed = _changed_file(run, checkpoint)
        if not changed:
            return checkpoint, reasons
        reasons.append(f"{name} is not used, because {changed} was damaged or edited")
    return None, reasons


def _changed_file(run: Run, checkpoint: Checkpoint) -> str:
    """An appended file whose first part has changed since the checkpoint; empty if there is none."""
    for name, file in checkpoint.appended_files.items():
        path = run.path / name
        # A checkpoint from elsewhere could name any file.
        if path.resolve().is_relative_to(run.path.resolve()):
            try:
                content = files.read(path)[: file.size]
            except OSError:
                return name
            if files.checksum(content) != file.digest:
                return name
    return ""


def delete_after(run: Run, epoch: int) -> None:
    """Deletes the checkpoints of later epochs."""
    for epochs, path in run.checkpoints():
        if epochs > epoch:
            run.remove(path)


def _packed(value: object, name: str, values: dict[str, Array]) -> object:
    """A value as JSON; arrays are put into `values`, and replaced by their names."""
    match value:
        case list() | tuple():
            parts = [_packed(part, f"{name}-{index}", values) for index, part in enumerate(value)]
            return {"arrays": parts}
        case np.ndarray():
            values[name] = value
            return {"array": name}
        case np.generic():
            values[name] = np.asarray(value)
            return {"scalar": name}
    return value


def _unpacked(value: object, values: Mapping[str, Array]) -> object:
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
    try:
        header = _Header.model_validate_json(values[_HEADER].tobytes(), strict=True)
    except ValidationError:
        raise ValueError("its header is not valid") from None
    variables = tuple(values[f"variable-{index}"] for index in range(header.variables))
    callbacks = tuple(
        {name: _unpacked(value, values) for name, value in attributes.items()}
        for attributes in header.callbacks
    )
    state = State(header.epochs, header.stopped, variables, callbacks)
    return Checkpoint(
        state, History(header.history), tuple(header.epoch_seconds), header.seconds, header.grown
    )
