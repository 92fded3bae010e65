"""What a run folder says, and how it is said."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from nnrun.errors import RunError
from nnrun.runs import files, history_table, layout
from nnrun.runs.folder import Folder, as_json, is_taken
from nnrun.runs.record import KFoldMetrics, Process, RunRecord, TrainMetrics
from nnrun.types import History

if TYPE_CHECKING:
    from nnrun.types import Array
from collections.abc import Iterator


class Run(Folder):
    """One run folder, by what is in it."""

    def write_text(self, name: str, text: str) -> None:
        """Writes a file of text."""
        self.write(name, lambda path: path.write_text(text, encoding="utf-8", newline=""))

    def write_json(self, name: str, value: Any) -> None:
        """Writes a file of JSON; a number that is none, such as NaN, becomes `null`."""
        self.write_text(name, as_json(value))

    def write_table(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """Writes a file of comma-separated values, the header being the first row."""
        self.write_text(name, history_table.text(rows))

    def write_arrays(self, name: str, **values: Array) -> None:
        """Writes a NumPy archive that loads without pickle; equal arrays give equal bytes."""
        from nnrun.runs import arrays  # noqa: PLC0415 - NumPy takes 0.1 s

        self.write(name, lambda path: arrays.save(path, values))

    def write_figure(self, name: str, figure: Any) -> None:
        """Writes a plot; equal figures give equal bytes."""
        # The bytes of `Figure.savefig`, which draws everything a second time.
        write = figure.canvas.print_png
        self.write(layout.plot(name), lambda path: write(path, metadata={"Software": None}))

    def write_drawing(self, name: str, figure: Any) -> None:
        """Writes a plot, and the same in lines; equal figures give equal bytes."""
        self.write_figure(name, figure)
        about = {"Creator": None, "Date": None}
        self.write(layout.drawing(name), lambda path: figure.savefig(path, metadata=about))

    def begin_journal(self, history: History) -> None:
        """Writes the table of epochs so that it can grow; what it said before counts no more."""
        self._check_there()
        # It is told by its checksums before it is listed no more.
        with self.replacing(layout.JOURNAL) as passing:
            passing.write_text(history_table.growing(history), encoding="utf-8", newline="")
        self._unlist(layout.JOURNAL)

    def append_epoch(self, history: History) -> None:
        """Adds the last epoch of a history to the table, in one write.

        Raises:
            RunError: the disk is full, or the folder is gone or may not be written.
        """
        path = self.path / layout.JOURNAL
        try:
            line = history_table.next_line(path, history) if len(history) > 1 else None
            if line is None:
                self.begin_journal(history)
                return
            with path.open("a", encoding="utf-8", newline="") as file:
                file.write(line)
                # Of a file that an interrupt keeps from being closed, the line would come later.
                file.flush()
        except OSError as error:
            raise self._unwritable(layout.JOURNAL, error) from error

    def end_journal(self) -> None:
        """Writes the table of epochs as it stays, and lists it."""
        text = history_table.text(history_table.table(self.history()))
        # Listed first: until it is in place, the growing table is still told by its checksums.
        self._written[layout.JOURNAL] = files.checksum(text.encode())
        self.update()
        with self.replacing(layout.JOURNAL) as passing:
            passing.write_text(text, encoding="utf-8", newline="")

    def metrics(self) -> TrainMetrics | KFoldMetrics:
        """The content of `metrics.json`; empty while there is none.

        Raises:
            RunError: it was damaged or edited, or is of a run of another kind.
        """
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
        """What `spec.yaml` says, unchecked; empty while there is none.

        Raises:
            RunError: it is no YAML, or no mapping, or was damaged or edited.
        """
        if not self.holds(layout.SPEC):
            return {}
        try:
            text = self.read_bytes(layout.SPEC).decode("utf-8")
            # Ten times as fast where PyYAML was built with it.
            spec = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            raise RunError(f"{self.path / layout.SPEC}: cannot be read: {error}") from error
        if not isinstance(spec, dict):
            raise RunError(f"{self.path / layout.SPEC}: is no spec")
        return spec

    def read_json(self, name: str) -> Any:
        """Reads a file of JSON."""
        return (
            {**self._content()} if name == layout.RUN else self._parsed(name, self.read_bytes(name))
        )

    def read_arrays(self, name: str) -> dict[str, Array]:
        """Reads a NumPy archive, without pickle."""
        from nnrun.runs import arrays  # noqa: PLC0415 - NumPy takes 0.1 s

        try:
            return arrays.load(self.read_bytes(name))
        except ValueError as error:
            raise RunError(f"{self.path / name}: cannot be read: {error}") from error

    def history(self) -> History:
        """All epochs that were trained, also of a run that was killed.

        Raises:
            RunError: the table was damaged or edited.
        """
        history = self._told()
        # A growing table may end anywhere, but not before what was kept after it had been written.
        if not self.is_listed(layout.JOURNAL):
            for kept, path in self.checkpoints():
                if kept > len(history):
                    name = path.relative_to(self.path)
                    message = f"ends at epoch {len(history)}, but {name} is of a later one"
                    raise RunError(f"{self.path / layout.JOURNAL}: {message}")
        return history

    def checkpoints(self) -> list[tuple[int, Path]]:
        """What the run can go on from: the epochs done by then and the file, the newest first."""
        found = []
        for path in (self.path / layout.CHECKPOINT).glob("epoch-*.npz"):
            number = path.stem.removeprefix("epoch-")
            if number.isdecimal():
                found.append((int(number), path))
        return sorted(found, reverse=True)

    def _told(self) -> History:
        """What the table of epochs says."""
        if not self.is_listed(layout.JOURNAL) and not (self.path / layout.JOURNAL).is_file():
            return History()
        content = self._bytes(layout.JOURNAL)
        text = content.decode("utf-8", errors="replace")
        if self.record().files.get(layout.JOURNAL) == files.checksum(content):
            try:
                return history_table.read(text)
            except ValueError as error:
                message = f"{self.path / layout.JOURNAL}: holds no epochs: {error}"
                raise RunError(message) from error
        if history_table.is_growing(text):
            try:
                return history_table.read_growing(text)
            except ValueError as error:
                raise RunError(f"{self.path / layout.JOURNAL}: {error}") from error
        # The table of all folds together is written at once, and counts as soon as it is listed. Of
        # any other the first line is moved into place whole: half of it is no kill, but damage.
        if self.record().kind == "kfold" and not self.is_listed(layout.JOURNAL):
            return History()
        raise self._damaged(layout.JOURNAL)

    def status(self) -> str:
        """`running`, `finished`, `failed`, `interrupted`; or `crashed`, when its process is gone."""
        record = self.record()
        if record.status != layout.RUNNING:
            return record.status
        process = record.process
        # A lock of another machine is not seen on every file system.
        if process is None or process.host != platform.node():
            return layout.RUNNING
        held = is_taken(self.path)
        is_gone = _is_gone(process) if held is None else not held
        return layout.CRASHED if is_gone else layout.RUNNING


def process() -> dict[str, Any]:
    """The one at work now, so that a run whose process is gone can be told from a running one."""
    return {"pid": os.getpid(), "host": platform.node()}


def _is_gone(process: Process) -> bool:
    # On Windows signal 0 would not ask but interrupt.
    if os.name == "nt":
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


# Opens a run folder again, so that the run goes on instead of beginning anew. Needs no Keras.


def differences(known: RunRecord, now: Mapping[str, Any]) -> Iterator[str]:
    """Why a run that is gone on with would not come to the same bytes.

    Args:
        known: its record.
        now: what a run that begins now would have in its record.
    """
    if known.spec_digest != now["spec_digest"]:
        yield "the spec is another than when it began"
    if known.data_digest != now["data_digest"]:
        yield "the data are others than when it began"
    if known.split_digest != now["split_digest"]:
        yield "other rows train or validate than when it began"
    before, after = known.versions, now["versions"]
    for package in sorted({*before, *after}):
        if before.get(package) != after.get(package):
            yield f"{package} was {before.get(package)}, now {after.get(package)}"
    for key, was in (("engine", known.engine), ("device", known.device)):
        if was != now[key]:
            yield f"the {key} was {was}, now {now[key]}"


def is_same(known: RunRecord, now: Mapping[str, Any]) -> bool:
    """Whether a run can go on as another would begin: it has no more epochs, and nothing differs."""
    return known.epochs <= now["epochs"] and not any(differences(known, now))


def reopen_record(run: Run, now: Mapping[str, Any]) -> None:
    """Makes a run that has ended, or was killed, one that is at work.

    Args:
        run: locked by this process.
        now: its record from now on.

    Raises:
        RunError: its record is damaged, or cannot be written.
    """
    run.sweep()
    known = run.record()
    changes = {"status": layout.RUNNING, "ended": None, "error": None, "process": process()}
    # The epochs of a run stay its own; the averages of a cross-validation are made anew.
    still = [] if known.kind == "kfold" else [layout.JOURNAL]
    run.reopen(**now, **changes, resumed=known.resumed + 1, still=still)
