"""A folder whose files are written whole or not at all, and are refused if damaged."""

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

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

_LOCKED = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
# A process that only asks whether a folder is locked holds the lock for a moment.
_ATTEMPTS = 40
_ATTEMPT_SECONDS = 0.01


class Lock:
    """A lock on a folder, held until `release` or until the object is deleted.

    It is the kernel's `flock` on the folder itself, so it ends with the process, leaves no file
    behind, and does not depend on a process number, which may be reused.

    Args:
        descriptor: of the locked folder; None if the file system has no locks.
    """

    def __init__(self, descriptor: int | None) -> None:
        self.descriptor = descriptor

    def release(self) -> None:
        """Releases the lock."""
        if self.descriptor is not None:
            descriptor, self.descriptor = self.descriptor, None
            with suppress(OSError):
                os.close(descriptor)

    def __del__(self) -> None:
        self.release()


def take(folder: Path) -> Lock | None:
    """Locks a folder; None if it is locked already, also by this process."""
    for _ in range(_ATTEMPTS):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _LOCKED:
                return Lock(None)
        time.sleep(_ATTEMPT_SECONDS)
    return None


def is_taken(folder: Path) -> bool | None:
    """Whether a folder is locked; None if that is unknown."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return True if error.errno in _LOCKED else None
    finally:
        os.close(descriptor)
    return False


@dataclass
class _Cache:
    """The record of a folder, which is read often and parsed only after a change."""

    stamp: tuple[int, int, int] | None = None
    content: dict[str, object] = field(default_factory=dict)
    record: RunRecord | None = None


@dataclass(frozen=True)
class Folder:
    """The folder of a run, and its record.

    `run.json` lists the digest of every complete file, and has one of itself. A file that is not
    listed does not count yet; one that is listed and differs is damaged, and is refused.

    All methods raise a RunError if a file is damaged or cannot be read or written, and a NotARun if
    there is no `run.json`.

    Args:
        lock: held by the process that works on the run.
    """

    path: Path
    lock: Lock | None = field(default=None, compare=False, repr=False)
    _written: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    _cache: _Cache = field(default_factory=_Cache, compare=False, repr=False)

    def write(self, name: str, save: Callable[[Path], object]) -> None:
        """Lets `save` write a file under a temporary name and moves it into place.

        A reader sees the old file or the new one, never half of one. The next `update` lists the
        file; one that was listed already is listed again at once.

        Args:
            save: is given the temporary name, which has the same suffix.
        """
        self._check_exists()
        listed = self.is_listed(name)
        if listed:
            self._unlist(name)
        with self.replacing(name) as temporary:
            save(temporary)
            self._written[name] = file_checksum(temporary)
        if listed:
            self.update()

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        """A temporary name; the file written there replaces the named one, and is not listed."""
        target = self.path / name
        temporary = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
        try:
            if target.parent != self.path:
                target.parent.mkdir(exist_ok=True)
            yield temporary
            _sync(temporary)
            temporary.replace(target)
        except OSError as error:
            raise self._unwritable(name, error) from error
        finally:
            # It still exists if `save` was interrupted, also by a second Ctrl-C.
            with suppress(OSError):
                temporary.unlink()

    def _check_exists(self) -> None:
        if not self.path.is_dir():
            raise RunError(f"{self.path}: the folder of the run is gone")

    def _unwritable(self, name: str, error: OSError) -> RunError:
        if not self.path.is_dir():
            return RunError(f"{self.path}: the folder of the run is gone")
        return RunError(f"{self.path / name}: cannot be written: {reason(error)}")

    def update(self, **changes: object) -> None:
        """Changes keys of `run.json`, and lists all files written since the last time."""
        files = {**self.record().files, **self._written}
        self.write_record({**self._content(), **changes, "files": dict(sorted(files.items()))})
        self._written.clear()

    def reopen(self, changes: Mapping[str, object], *, still: Sequence[str] = ()) -> None:
        """Changes keys of `run.json` and unlists all files, as the run is at work again.

        Args:
            still: names of files that count until they are written anew.
        """
        self._written.clear()
        files = {name: digest for name, digest in self.record().files.items() if name in still}
        self.write_record({**self._content(), **changes, "files": files})

    def remove(self, path: Path) -> None:
        """Removes a file that is not listed, or a folder in its place."""
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"{path}: cannot be deleted: {reason(error)}") from error

    def write_record(self, record: Mapping[str, object]) -> None:
        """Writes `run.json`."""
        with self.replacing(layout.RUN) as temporary:
            temporary.write_text(as_json(with_checksum(record)), encoding="utf-8", newline="")

    def _unlist(self, name: str) -> None:
        self._written.pop(name, None)
        files = self.record().files
        if name in files:
            others = {other: digest for other, digest in files.items() if other != name}
            self.write_record({**self._content(), "files": others})

    def is_listed(self, name: str) -> bool:
        """Whether `run.json` has a digest of the file."""
        return name in self.record().files

    def record(self) -> RunRecord:
        """The content of `run.json`."""
        content = self._content()
        if self._cache.record is None or content is not self._cache.content:
            self._cache.record = self._validated(RunRecord, layout.RUN, content)
            self._cache.content = content
        return self._cache.record

    def _content(self) -> dict[str, object]:
        """The keys of `run.json` in their order, without its digest."""
        path, stamp = self.path / layout.RUN, None
        with suppress(OSError):
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_ino, status.st_size
        if stamp is None or self._cache.stamp != stamp:
            content = self._parsed(layout.RUN, self._bytes(layout.RUN))
            if not isinstance(content, dict) or not checksum_matches(content):
                raise RunError(f"{path}: was damaged or edited, so nothing here can be relied on")
            del content[CHECKSUM_KEY]
            self._cache.stamp, self._cache.content, self._cache.record = stamp, content, None
        return self._cache.content

    def holds(self, name: str) -> bool:
        """Whether the run has the file: it is listed, or it is `run.json`.

        A listed file may be missing, which is damage; reading it reports that.
        """
        return (self.path / layout.RUN).is_file() and (name == layout.RUN or self.is_listed(name))

    def read_bytes(self, name: str) -> bytes:
        """The content of a listed file."""
        content = self._bytes(name)
        if self.record().files.get(name) != checksum(content):
            raise self._damaged(name)
        return content

    def settled(self, name: str) -> bytes:
        """The content of a growing file, once it would survive a power cut."""
        try:
            _sync(self.path / name)
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
        """The path of a listed file that is not damaged."""
        path = self.path / name
        try:
            if self.record().files.get(name) != file_checksum(path):
                raise self._damaged(name)
        except OSError as error:
            raise RunError(f"{path}: cannot be read: {reason(error)}") from error
        return path

    def _parsed(self, name: str, content: bytes) -> object:
        try:
            return parse(content)
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.path / name}: cannot be read: {error}") from error

    def _validated(self, model: type[AnyModel], name: str, content: object) -> AnyModel:
        try:
            return validated(model, content)
        except ValueError as error:
            raise RunError(f"{self.path / name}: cannot be read: {error}") from error

    def release(self) -> None:
        """Lets other processes work on the run."""
        if self.lock:
            self.lock.release()

    def sweep(self) -> None:
        """Removes temporary files of killed processes."""
        for temporary in (*self.path.glob(".*"), *self.path.glob("*/.*")):
            with suppress(OSError):
                temporary.unlink()


def _sync(path: Path) -> None:
    """Waits until a file would survive a power cut, so that no name ever leads to half of one."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def as_json(value: object) -> str:
    """A value as a JSON file; NaN and infinity become `null`."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    # Halves of surrogate pairs, from file names that are not UTF-8, cannot be written as they are.
    return escape_json(text) + "\n"


def reason(error: OSError) -> str:
    """Why a file cannot be read or written, without its name."""
    return error.strerror or str(error)
