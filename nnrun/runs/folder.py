"""A folder whose files are written whole or not at all, and read as they were written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnrun.errors import NotARun, RunError
from nnrun.runs import layout
from nnrun.runs.files import (
    CHECKSUM_KEY,
    checksum,
    checksum_matches,
    file_checksum,
    finite,
    read,
    with_checksum,
)
from nnrun.runs.record import AnyModel, RunRecord, parse, validated
from nnrun.spec.text import escape_json

# A lock on a run folder, which ends with the process that holds it, however that ends.

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

# Whoever only asks whether a folder is locked holds it for a moment, which is not meant.
_GLIMPSES = 40
_GLIMPSE_SECONDS = 0.01
_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


class Lock:
    """Held from its making on, until `release` or until nobody refers to it any more.

    The lock is the kernel's, on the folder itself: there is no file that a killed process leaves
    behind, and no process number that another process may have by now.

    Args:
        descriptor: of the locked folder; None where the file system knows no locks.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @property
    def is_real(self) -> bool:
        """Whether it keeps anybody away."""
        return self._descriptor is not None

    def release(self) -> None:
        """Lets others have it."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):
                os.close(descriptor)

    def __del__(self) -> None:
        self.release()


def take(folder: Path) -> Lock | None:
    """Locks a folder; None where another process, or another part of this one, has locked it.

    Raises:
        OSError: the folder is not there, or may not be opened.
    """
    for _ in range(_GLIMPSES):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _TAKEN:
                return Lock(None)
        time.sleep(_GLIMPSE_SECONDS)
    return None


def is_taken(folder: Path) -> bool | None:
    """Whether somebody has locked a folder; None where that cannot be told."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return True if error.errno in _TAKEN else None
    finally:
        os.close(descriptor)
    return False


@dataclass(frozen=True)
class Folder:
    """The folder of a run, and its record.

    `run.json` lists the digest of every file that is whole, and has one of itself. What is not
    listed does not count yet; what is listed and different was damaged or edited, and is refused.

    Args:
        path: the folder.
        lock: held by the process that works on the run.
    """

    path: Path
    lock: Lock | None = field(default=None, compare=False, repr=False)
    _written: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    _known: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def write(self, name: str, save: Callable[[Path], Any]) -> None:
        """Lets `save` write a file under a passing name and moves it into place.

        Whoever reads the folder sees the old file or the new one, never half of one. The next
        `update` lists the file; one that was listed already is listed again at once.

        Args:
            name: from `layout`.
            save: is given the passing name, of the same ending.

        Raises:
            RunError: the disk is full, or the folder is gone or may not be written.
        """
        self._check_there()
        listed = self.is_listed(name)
        if listed:
            self._unlist(name)
        with self.replacing(name) as passing:
            save(passing)
            self._written[name] = file_checksum(passing)
        if listed:
            self.update()

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        """A passing name; what is written there replaces the file, which is not listed.

        Raises:
            RunError: the disk is full, or the folder is gone or may not be written.
        """
        target = self.path / name
        passing = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
        try:
            if target.parent != self.path:
                target.parent.mkdir(exist_ok=True)
            yield passing
            _to_disk(passing)
            passing.replace(target)
        except OSError as error:
            raise self._unwritable(name, error) from error
        finally:
            # Still there when `save` was ended by anything, a second Ctrl-C included.
            with suppress(OSError):
                passing.unlink()

    def _check_there(self) -> None:
        if not self.path.is_dir():
            raise RunError(f"{self.path}: the folder of the run is gone")

    def _unwritable(self, name: str, error: OSError) -> RunError:
        if not self.path.is_dir():
            return RunError(f"{self.path}: the folder of the run is gone")
        return RunError(f"{self.path / name}: cannot be written: {reason(error)}")

    def update(self, **changes: Any) -> None:
        """Changes entries of `run.json`, and lists what was written since the last time."""
        files = {**self.record().files, **self._written}
        self.write_record({**self._content(), **changes, "files": dict(sorted(files.items()))})
        self._written.clear()

    def reopen(self, *, still: Sequence[str] = (), **changes: Any) -> None:
        """Changes entries of `run.json`; no file counts any more, as the run is at work again.

        Args:
            still: names of files that count until they are written anew.
        """
        self._written.clear()
        known = self.record().files
        files = {name: known[name] for name in still if name in known}
        self.write_record({**self._content(), **changes, "files": files})

    def remove(self, path: Path) -> None:
        """Removes a file that is not listed, or the folder that stands in its place.

        Raises:
            RunError: it may not be removed.
        """
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            name = path.relative_to(self.path)
            raise RunError(f"{self.path / name}: cannot be removed: {reason(error)}") from error

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Writes `run.json` anew."""
        with self.replacing(layout.RUN) as passing:
            passing.write_text(as_json(with_checksum(record)), encoding="utf-8", newline="")

    def _unlist(self, name: str) -> None:
        self._written.pop(name, None)
        if self.is_listed(name):
            files = {other: seal for other, seal in self.record().files.items() if other != name}
            self.write_record({**self._content(), "files": files})

    def is_listed(self, name: str) -> bool:
        """Whether `run.json` says what such a file should be."""
        return name in self.record().files

    def record(self) -> RunRecord:
        """The content of `run.json`.

        Raises:
            NotARun: the folder holds no run.
            RunError: the file is not as it was written.
        """
        content = self._content()
        if self._known.get("content") is not content:
            self._known.update(record=self._validated(RunRecord, layout.RUN, content))
            self._known.update(content=content)
        record: RunRecord = self._known["record"]
        return record

    def _content(self) -> dict[str, Any]:
        """The keys of `run.json` in their order, without its checksum."""
        path = self.path / layout.RUN
        # Read often, and parsed only where it has changed.
        stamp = _stamp(path)
        if stamp is None or self._known.get("stamp") != stamp:
            content = self._parsed(layout.RUN, self._bytes(layout.RUN))
            if not isinstance(content, dict) or not checksum_matches(content):
                raise RunError(f"{path}: was damaged or edited, so nothing here can be relied on")
            del content[CHECKSUM_KEY]
            self._known.update(stamp=stamp, json=content)
        found: dict[str, Any] = self._known["json"]
        return found

    def holds(self, name: str) -> bool:
        """Whether such a file counts: it is listed, or it is the list itself.

        One that is listed and gone is damage: whoever reads it is told so.
        """
        return (self.path / layout.RUN).is_file() and (name == layout.RUN or self.is_listed(name))

    def read_bytes(self, name: str) -> bytes:
        """What a listed file holds.

        Raises:
            RunError: it is not there, or not as it was written.
        """
        content = self._bytes(name)
        if self.record().files.get(name) != checksum(content):
            raise self._damaged(name)
        return content

    def settled(self, name: str) -> bytes:
        """What a growing file holds, once it would outlive a power cut.

        Raises:
            RunError: the disk is full, or the folder is gone or may not be read.
        """
        try:
            _to_disk(self.path / name)
        except OSError as error:
            raise self._unwritable(name, error) from error
        return self._bytes(name)

    def _bytes(self, name: str) -> bytes:
        try:
            return read(self.path / name)
        except (FileNotFoundError, NotADirectoryError) as error:
            if name == layout.RUN:
                raise NotARun(f"{self.path} is no run: it has no {name}") from None
            raise RunError(f"{self.path / name}: is gone") from error
        except OSError as error:
            raise RunError(f"{self.path / name}: cannot be read: {reason(error)}") from error

    def _damaged(self, name: str) -> RunError:
        return RunError(f"{self.path / name}: was damaged or edited since the run wrote it")

    def whole(self, name: str) -> Path:
        """The path of a listed file that is as it was written, for those who read by path.

        Raises:
            RunError: it is not.
        """
        path = self.path / name
        try:
            if self.record().files.get(name) != file_checksum(path):
                raise self._damaged(name)
        except OSError as error:
            raise RunError(f"{path}: cannot be read: {reason(error)}") from error
        return path

    def _validated(self, model: type[AnyModel], name: str, content: object) -> AnyModel:
        try:
            return validated(model, content)
        except ValueError as error:
            raise RunError(f"{self.path / name}: cannot be read: {error}") from error

    def _parsed(self, name: str, content: bytes) -> Any:
        try:
            return parse(content)
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.path / name}: cannot be read: {error}") from error

    def release(self) -> None:
        """Lets other processes work on the run."""
        if self.lock:
            self.lock.release()

    def sweep(self) -> None:
        """Removes what killed processes have left half written."""
        for passing in (*self.path.glob(".*"), *self.path.glob("*/.*")):
            with suppress(OSError):
                passing.unlink()


def _to_disk(path: Path) -> None:
    """Waits until a file would outlive a power cut, so that no name ever leads to half of one."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Changes with a file; None where it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def as_json(value: Any) -> str:
    """A value as a file of JSON; a number that is none, such as NaN, becomes `null`."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    # Nor half a letter, such as the name of a file has that is no UTF-8.
    return escape_json(text) + "\n"


def reason(error: OSError) -> str:
    """Why a file cannot be read or written, without its name."""
    return error.strerror or str(error)
