"""Files that a person names: pictures or a folder of them, or one table, or one archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnrun.errors import CommandError
from nnrun.prediction import archives, tables
from nnrun.prediction.raw import Raw
from nnrun.prediction.subject import Subject
from nnrun.spec.folders import ENDINGS

_ALL = f"{', '.join(sorted(ENDINGS))}, .csv or .npz"


def read(paths: Sequence[Path], subject: Subject, *, invert: bool | None = None) -> Raw:
    """Rows to be predicted.

    Args:
        paths: of the files, or of one folder.
        subject: the run that is asked.
        invert: as of `pictures.read`.

    Raises:
        CommandError: a file is of no such kind, or not what its name says.
    """
    endings = {path.suffix.lower() for path in paths}
    is_folder = len(paths) == 1 and paths[0].is_dir()
    if endings <= ENDINGS or is_folder:
        # Pillow is needed for nothing else.
        from nnrun.prediction import pictures  # noqa: PLC0415

        asked = pictures.in_folder(paths[0], subject) if is_folder else pictures.named(paths)
        return pictures.read(asked, subject, invert=invert)
    if len(paths) > 1:
        raise CommandError(
            "several files can be named where all are pictures; name one file or folder"
        )
    if endings == {".csv"}:
        return tables.read(paths[0], subject)
    if endings == {".npz"}:
        return archives.read(paths[0], subject)
    raise CommandError(f"{paths[0]}: the name must end in {_ALL}")
