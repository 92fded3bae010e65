"""Reads and writes the files of a run folder."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from nnrun.errors import NnrunError, RunError
from nnrun.runs import files, history_table, layout
from nnrun.runs.folder import Folder, as_json, is_taken
from nnrun.runs.record import KFoldMetrics, RunRecord, TrainMetrics
from nnrun.spec.code import CodeFile
from nnrun.types import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nnrun.types import Array


class Run(Folder):
    """One run folder."""

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file."""
        self.write(name, lambda path: path.write_text(text, encoding="utf-8", newline=""))

    def write_spec(self, text: str, code: Sequence[CodeFile]) -> None:
        """Writes the spec with the Python files that it names."""
        self.write_text(layout.SPEC, text)
        for file in code:
            self.write(file.kept, partial(Path.write_bytes, data=file.content))

    def check_code(self, code: Sequence[CodeFile]) -> None:
        """Refuses Python files that are not those that the run wrote.

        Raises:
            RunError: with the file.
        """
        for file in code:
            path = self.path / file.kept
            if file.path.resolve() != path.resolve() or path.is_symlink():
                raise RunError(f"{self.path / layout.SPEC}: {file.path} is not in the run folder")
            if self.record().files.get(file.kept) != file.digest:
                raise self._damaged(file.kept)

    def write_json(self, name: str, value: object) -> None:
        """Writes a JSON file; NaN and infinity become `null`."""
        self.write_text(name, as_json(value))

    def write_table(self, name: str, rows: Sequence[Sequence[object]]) -> None:
        """Writes a CSV file; the first row is the header."""
        self.write_text(name, history_table.text(rows))

    def write_arrays(self, name: str, **values: Array) -> None:
        """Writes a NumPy archive without pickle; equal arrays give equal bytes."""
        from nnrun.runs import arrays  # noqa: PLC0415 - NumPy takes 0.1 s

        self.write(name, lambda path: arrays.save(path, values))

    def write_figure(self, name: str, figure: Figure) -> None:
        """Writes a plot as PNG; equal figures give equal bytes."""
        # The same bytes as `Figure.savefig`, which draws everything twice.
        write = figure.canvas.print_png  # type: ignore[attr-defined]
        self.write(layout.plot(name), lambda path: write(path, metadata={"Software": None}))

    def write_drawing(self, name: str, figure: Figure) -> None:
        """Writes a plot as PNG and SVG; equal figures give equal bytes."""
        self.write_figure(name, figure)
        metadata = {"Creator": None, "Date": None}
        self.write(layout.drawing(name), lambda path: figure.savefig(path, metadata=metadata))

    def begin_journal(self, history: History) -> None:
        """Writes the table of epochs so that it can grow."""
        self._check_exists()
        # The checksums of its lines replace the digest in the record.
        with self.replacing(layout.JOURNAL) as temporary:
            temporary.write_text(history_table.growing(history), encoding="utf-8", newline="")
        self._unlist(layout.JOURNAL)

    def append_epoch(self, history: History) -> None:
        """Adds the last epoch of a history to the table, in one write."""
        path = self.path / layout.JOURNAL
        try:
            line = history_table.next_line(path, history) if len(history) > 1 else None
            if line is None:
                self.begin_journal(history)
                return
            with path.open("a", encoding="utf-8", newline="") as file:
                file.write(line)
                # If an interrupt prevented closing the file, the line would be written later.
                file.flush()
        except OSError as error:
            raise self._unwritable(layout.JOURNAL, error) from error

    def end_journal(self) -> None:
        """Writes the final table of epochs, without checksums, and lists it."""
        text = history_table.text(history_table.table(self.history()))
        # Listed first: until it is replaced, the growing table is checked by its lines.
        self._written[layout.JOURNAL] = files.checksum(text.encode())
        self.update()
        with self.replacing(layout.JOURNAL) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")

    def metrics(self) -> TrainMetrics | KFoldMetrics:
        """The content of `metrics.json`; empty while there is none."""
        content = self.read_json(layout.METRICS) if self.holds(layout.METRICS) else {}
        if self.record().kind == "kfold":
            return self._validated(KFoldMetrics, layout.METRICS, content)
        return self._validated(TrainMetrics, layout.METRICS, content)

    def train_metrics(self) -> TrainMetrics:
        """The metrics of a run that is not a cross-validation."""
        metrics = self.metrics()
        assert isinstance(metrics, TrainMetrics)
        return metrics

    def spec(self) -> dict[str, Any]:
        """The content of `spec.yaml`, unchecked; empty while there is none."""
        if not self.holds(layout.SPEC):
            return {}
        try:
            text = self.read_bytes(layout.SPEC).decode("utf-8")
            # The C loader is ten times as fast.
            spec = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            raise RunError(f"{self.path / layout.SPEC}: cannot be read: {error}") from error
        if not isinstance(spec, dict):
            raise RunError(f"{self.path / layout.SPEC}: is not a mapping")
        return spec

    def read_json(self, name: str) -> Any:
        """Reads a JSON file, without its digest if it is `run.json`."""
        if name == layout.RUN:
            return {**self._content()}
        return self._parsed(name, self.read_bytes(name))

    def read_arrays(self, name: str) -> dict[str, Array]:
        """Reads a NumPy archive, without pickle."""
        from nnrun.runs import arrays  # noqa: PLC0415 - NumPy takes 0.1 s

        try:
            return arrays.load(self.read_bytes(name))
        except ValueError as error:
            raise RunError(f"{self.path / name}: cannot be read: {error}") from error

    def history(self) -> History:
        """All trained epochs, also of a killed run."""
        history = self._history()
        # A kill may cut the table anywhere, but not before a checkpoint that was written later.
        if not self.is_listed(layout.JOURNAL):
            for epochs, path in self.checkpoints():
                if epochs > len(history):
                    name = path.relative_to(self.path)
                    message = f"ends at epoch {len(history)}, but {name} is of a later one"
                    raise RunError(f"{self.path / layout.JOURNAL}: {message}")
        return history

    def _history(self) -> History:
        path, digest = self.path / layout.JOURNAL, self.record().files.get(layout.JOURNAL)
        if digest is None and not path.is_file():
            return History()
        content = self._bytes(layout.JOURNAL)
        text = content.decode("utf-8", errors="replace")
        try:
            if digest == files.checksum(content):
                return history_table.read(text)
            if history_table.is_growing(text):
                return history_table.read_growing(text)
        except ValueError as error:
            raise RunError(f"{path}: {error}") from error
        # The mean table of a cross-validation is written whole and counts once it is listed. The
        # first line of any other is moved into place whole, so half of it is damage and no kill.
        if self.record().kind == "kfold" and digest is None:
            return History()
        raise self._damaged(layout.JOURNAL)

    def checkpoints(self) -> list[tuple[int, Path]]:
        """The checkpoints, each with its number of epochs, newest first."""
        checkpoints = []
        for path in (self.path / layout.CHECKPOINT).glob("epoch-*.npz"):
            number = path.stem.removeprefix("epoch-")
            if number.isdecimal():
                checkpoints.append((int(number), path))
        return sorted(checkpoints, reverse=True)

    def status(self) -> str:
        """`running`, `finished`, `failed`, `interrupted`; or `crashed` if its process is gone."""
        record = self.record()
        process = record.process
        # Some file systems do not show locks of other machines.
        if record.status != layout.RUNNING or not process or process.host != platform.node():
            return record.status
        locked = is_taken(self.path)
        is_gone = _is_gone(process.pid) if locked is None else not locked
        return layout.CRASHED if is_gone else layout.RUNNING

    def is_running(self) -> bool:
        """Whether a process works on the run, or False if its record is damaged."""
        # A record is replaced as a whole, so a damaged one is not that of a running process.
        with suppress(NnrunError):
            return self.status() == layout.RUNNING
        return False

    def parts(self) -> list[Run]:
        """The folds of a cross-validation, and its final model, as far as they exist."""
        return [Run(file.parent) for file in self.path.glob(f"*/{layout.RUN}")]


def process() -> dict[str, int | str]:
    """The current process for a record, so that a crashed run can be distinguished from a running one."""
    return {"pid": os.getpid(), "host": platform.node()}


def _is_gone(pid: int) -> bool:
    # On Windows signal 0 would interrupt the process.
    if os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def differences(record: RunRecord, now: Mapping[str, Any]) -> Iterator[str]:
    """Reasons why resuming a run would not be bit-identical.

    Args:
        now: the record that a new run would begin with.
    """
    if record.spec_digest != now["spec_digest"]:
        yield "the spec has changed"
    if record.data_digest != now["data_digest"]:
        yield "the data have changed"
    if record.split_digest != now["split_digest"]:
        yield "the training or validation rows have changed"
    if record.weights_digest != now.get("weights_digest"):
        yield "the weights to begin with have changed"
    before, after = record.versions, now["versions"]
    for package in sorted({*before, *after}):
        if before.get(package) != after.get(package):
            yield f"{package} was {before.get(package)}, now {after.get(package)}"
    for key, was in (("engine", record.engine), ("device", record.device)):
        if was != now[key]:
            yield f"the {key} was {was}, now {now[key]}"


def is_same(record: RunRecord, now: Mapping[str, Any]) -> bool:
    """Whether a run can be resumed: it has no more epochs than the new one, and is the same."""
    return record.epochs <= now["epochs"] and not any(differences(record, now))


def reopen_record(run: Run, now: Mapping[str, object]) -> None:
    """Marks a run that has ended, or was killed, as running."""
    run.sweep()
    record = run.record()
    changes = {
        **now,
        "status": layout.RUNNING,
        "ended": None,
        "error": None,
        "process": process(),
        "resumed": record.resumed + 1,
    }
    # A training keeps its epochs; the means of a cross-validation are computed anew.
    still = [] if record.kind == "kfold" else [layout.JOURNAL]
    run.reopen(changes, still=still)
