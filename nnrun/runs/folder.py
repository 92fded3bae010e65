"""Creates, writes and reads a run folder. Nothing else writes below `runs/`."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import yaml

from nnrun import layout
from nnrun.errors import NotARun, RunError
from nnrun.records import Array, History


@dataclass(frozen=True)
class Run:
    """One run folder."""

    path: Path

    def write(self, name: str, save: Callable[[Path], Any]) -> None:
        """Lets `save` write a file under a passing name and moves it into place.

        Whoever reads the folder sees the old file or the new one, never half of one.

        Args:
            name: from `layout`.
            save: is given the passing name, of the same ending.

        Raises:
            RunError: the disk is full, or the folder is gone or may not be written.
        """
        target = self.path / name
        passing = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
        try:
            target.parent.mkdir(exist_ok=True)
            save(passing)
            passing.replace(target)
        except OSError as error:
            raise RunError(f"{target}: cannot be written: {reason(error)}") from error
        finally:
            # Still there when `save` was ended by anything, a second Ctrl-C included.
            with suppress(OSError):
                passing.unlink()

    def write_text(self, name: str, text: str) -> None:
        """Writes a file of text."""
        self.write(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_json(self, name: str, value: Any) -> None:
        """Writes a file of JSON; a number that is none, such as NaN, becomes `null`."""
        text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
        self.write_text(name, text + "\n")

    def write_table(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """Writes a file of comma-separated values, the header being the first row."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self.write_text(name, text.getvalue())

    def write_arrays(self, name: str, **arrays: Array) -> None:
        """Writes a NumPy archive that loads without pickle."""
        self.write(name, lambda path: np.savez_compressed(path, allow_pickle=False, **arrays))

    def write_figure(self, name: str, figure: Any) -> None:
        """Writes a plot; equal figures give equal bytes."""
        self.write(
            layout.plot(name), lambda path: figure.savefig(path, metadata={"Software": None})
        )

    def append_epoch(self, history: History) -> None:
        """Adds the last epoch of a history to the journal, in one write."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if len(history) == 1:
            writer.writerow(["epoch", *history.epochs])
        writer.writerow([len(history), *history.row(len(history) - 1).values()])
        try:
            with (self.path / layout.JOURNAL).open("a", encoding="utf-8") as journal:
                journal.write(text.getvalue())
        except OSError as error:
            message = f"{self.path / layout.JOURNAL}: cannot be written: {reason(error)}"
            raise RunError(message) from error

    def update(self, **changes: Any) -> None:
        """Changes entries of `run.json`."""
        self.write_json(layout.RUN, {**self.record(), **changes})

    def record(self) -> dict[str, Any]:
        """What `run.json` says.

        Raises:
            RunError: the folder holds no run.
        """
        record = self.read_json(layout.RUN)
        if not isinstance(record, dict) or not {"name", "status"} <= record.keys():
            raise RunError(f"{self.path / layout.RUN}: does not say which run this is")
        return record

    def metrics(self) -> dict[str, Any]:
        """What `metrics.json` says; empty while there is none."""
        metrics = self.read_json(layout.METRICS) if self.holds(layout.METRICS) else {}
        if not isinstance(metrics, dict):
            raise RunError(f"{self.path / layout.METRICS}: holds no metrics")
        return metrics

    def spec(self) -> dict[str, Any]:
        """What `spec.yaml` says, unchecked; empty while there is none.

        Raises:
            RunError: it is no YAML, or no mapping.
        """
        if not self.holds(layout.SPEC):
            return {}
        try:
            text = (self.path / layout.SPEC).read_text(encoding="utf-8")
            # Ten times as fast where PyYAML was built with it.
            spec = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise RunError(f"{self.path / layout.SPEC}: cannot be read: {error}") from error
        if not isinstance(spec, dict):
            raise RunError(f"{self.path / layout.SPEC}: is no spec")
        return spec

    def holds(self, name: str) -> bool:
        """Whether such a file is there."""
        return (self.path / name).is_file()

    def read_json(self, name: str) -> Any:
        """Reads a file of JSON."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise NotARun(f"{self.path} is no run: it has no {name}") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / name}: cannot be read: {error}") from error

    def read_arrays(self, name: str) -> dict[str, Array]:
        """Reads a NumPy archive, without pickle."""
        try:
            with np.load(self.path / name, allow_pickle=False) as archive:
                return dict(archive)
        except (OSError, ValueError, EOFError, BadZipFile) as error:
            raise RunError(f"{self.path / name}: cannot be read: {error}") from error

    def history(self) -> History:
        """All epochs that were trained, also of a run that was killed."""
        history = History()
        if not self.holds(layout.JOURNAL):
            return history
        with (self.path / layout.JOURNAL).open(encoding="utf-8", newline="") as journal:
            # A disk that was full leaves half a line at the end, which is no epoch.
            whole = (line for line in journal if line.endswith("\n"))
            names, *rows = list(csv.reader(whole)) or [[]]
        for row in rows:
            # The first column counts the epochs.
            history.append(dict(zip(names[1:], map(float, row[1:]), strict=False)))
        return history

    def status(self) -> str:
        """`running`, `finished`, `failed`, `interrupted`; or `crashed`, when its process is gone."""
        record = self.record()
        status = str(record["status"])
        return layout.CRASHED if status == layout.RUNNING and _is_gone(record) else status


def create(root: Path, name: str, *, now: datetime, record: Mapping[str, Any]) -> Run:
    """A new run folder whose record says `running`.

    Args:
        root: the folder of all runs; made where it is missing.
        name: the experiment's.
        now: part of the folder's name.
        record: what `run.json` says from the start.

    Raises:
        RunError: the folder cannot be made.
    """
    stem = f"{now:%Y%m%d-%H%M%S}-{name}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        path = next(path for path in _candidates(root / stem) if _made(path))
    except OSError as error:
        raise RunError(f"{root}: no run folder can be made here: {reason(error)}") from error
    return _begun(path, name, now, record)


def create_part(
    whole: Run, part: str, name: str, *, now: datetime, record: Mapping[str, Any]
) -> Run:
    """A new run folder inside another, such as a fold's; what is left of an unfinished one goes.

    Args:
        whole: the run that it is a part of.
        part: the folder's name, from `layout`.
        name, now, record: as of `create`.

    Raises:
        RunError: the folder cannot be made.
    """
    path = whole.path / part
    try:
        if path.exists():
            shutil.rmtree(path)
        path.mkdir()
    except OSError as error:
        raise RunError(f"{path}: the folder cannot be made: {reason(error)}") from error
    return _begun(path, name, now, record)


def _begun(path: Path, name: str, now: datetime, record: Mapping[str, Any]) -> Run:
    run = Run(path)
    start = {"schema_version": layout.SCHEMA_VERSION, "name": name, "status": layout.RUNNING}
    times = {"started": now.isoformat(timespec="seconds"), "ended": None}
    try:
        run.write_json(layout.RUN, {**start, **times, **record, "process": process()})
    except RunError:
        path.rmdir()  # without its record it is no run
        raise
    return run


def process() -> dict[str, Any]:
    """The one at work now, so that a run whose process is gone can be told from a running one."""
    return {"pid": os.getpid(), "host": platform.node()}


def find(root: Path) -> list[Run]:
    """All runs of a folder, oldest first; what is no run, or hidden, is passed over."""
    if not root.is_dir():
        return []
    shown = (path for path in root.iterdir() if not path.name.startswith("."))
    # Where another person lets nobody look in, looking for a file would fail.
    open_ = (path for path in sorted(shown) if os.access(path, os.X_OK))
    return [Run(path) for path in open_ if (path / layout.RUN).is_file()]


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.name}-{number}")
        number += 1


def _made(path: Path) -> bool:
    """Makes a folder that was not there; two runs of one second cannot both succeed."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def _is_gone(record: Mapping[str, Any]) -> bool:
    process = record.get("process", {})
    # On Windows signal 0 would not ask but interrupt.
    if os.name == "nt" or process.get("host") != platform.node():
        return False
    try:
        os.kill(int(process["pid"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _finite(value: Any) -> Any:
    """JSON knows neither NaN nor infinity."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value


def reason(error: OSError) -> str:
    """Why a file cannot be read or written, without its name."""
    return error.strerror or str(error)
