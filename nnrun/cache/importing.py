"""Files that somebody has downloaded elsewhere: known by their hash, whatever they are called."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from nnrun.cache import placing
from nnrun.cache.file import File, check, has_hash, hash_of
from nnrun.errors import DataError


def recognise(path: Path, files: Sequence[File]) -> File:
    """Which of some published files a file is.

    Args:
        path: any file; it is only read.
        files: what it may be, at least one.

    Raises:
        DataError: it is none of them, or cannot be read; with all of them and their hashes.
    """
    try:
        found = {hash_of(path, name) for name in _algorithms(files)}
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    for file in files:
        if file.hash in found:
            return file
    raise DataError(
        f"{path} is none of these files, so nothing was changed; it has {size:,} bytes and the "
        f"hash {' or '.join(sorted(found))}\n{_listed(files)}"
    )


def bring(path: Path, file: File) -> bool:
    """Copies a file to where Keras and nnrun look for it, whole or not at all.

    Args:
        path: the file as it was recognised.
        file: what it was recognised as.

    Returns:
        Whether it was copied; else the published file is there already.

    Raises:
        DataError: another file is there, which stays, or the folder cannot be written.
    """
    if file.is_there:
        check(file)
        return False
    try:
        workplace = placing.workplace(file)
        with workplace as folder:
            complete = Path(folder) / file.path.name
            shutil.copyfile(path, complete)
            # Hashed once more: the file may have changed since, or the disk may be full.
            if not has_hash(complete, file.hash):
                raise DataError(f"{path} changed while it was copied; nothing was kept")
            placing.put(complete, file)
    except OSError as error:
        raise DataError(
            f"{file.dataset}: {path} cannot be copied to {file.path}: {error.strerror or error}"
        ) from error
    return True


def _algorithms(files: Sequence[File]) -> set[str]:
    return {file.hash.partition(":")[0] for file in files}


def _listed(files: Sequence[File]) -> str:
    names = (
        max(len(file.dataset) for file in files),
        max(len(file.published_name) for file in files),
    )
    return "\n".join(
        f"  {file.dataset:{names[0]}}  {file.published_name:{names[1]}}  {file.hash}"
        for file in files
    )
