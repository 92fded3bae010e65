"""An export comes into its place whole or not at all, and never over what is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnrun.errors import CommandError, RunError
from nnrun.exporting.formats import Format

_INSIDE = "rows.json"


def description(path: Path, format_: Format) -> Path:
    """Where it is said what rows an export wants: inside of a folder, beside a file."""
    return path / _INSIDE if format_ is Format.saved_model else path.with_name(f"{path.name}.json")


def check_free(path: Path, format_: Format) -> None:
    """Refuses a place that is taken, or is none.

    Raises:
        CommandError: with what is in the way.
    """
    for each in (path, description(path, format_)):
        if os.path.lexists(each):
            raise CommandError(
                f"{each} is there already, and is left as it is; "
                "take another name with --output, or move it away"
            )
    if not path.parent.is_dir():
        raise CommandError(f"there is no folder {path.parent} to write {path.name} in")


@contextmanager
def workplace(path: Path) -> Iterator[Path]:
    """A passing name beside the place, of which nothing is left in the end.

    Raises:
        RunError: nothing can be written there, or the disk is full.
    """
    try:
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True
        ) as folder:
            yield Path(folder) / path.name
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"{path}: cannot be written: {reason}") from error


def place(passing: Path, path: Path, format_: Format) -> None:
    """Moves an export with its description to where it belongs.

    Raises:
        CommandError: somebody else was quicker.
        OSError: it cannot be moved.
    """
    check_free(path, format_)
    if format_ is Format.saved_model:
        passing.rename(path)
        return
    beside = description(path, format_)
    description(passing, format_).rename(beside)
    try:
        passing.rename(path)
    except OSError:
        beside.unlink()
        raise


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file())
