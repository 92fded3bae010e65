"""Whether a person's own data are where a spec says, and hold what it says; none of it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nnrun.check import own_tables
from nnrun.check.subject import Subject
from nnrun.errors import Misfit
from nnrun.spec import folders
from nnrun.spec.dataset_base import DatasetBase
from nnrun.spec.finding import Finding
from nnrun.spec.own import PATHS, Images, Own, Table, Text
from nnrun.spec.suggest import nearest
from nnrun.spec.words import listed, shown

_LONGEST = 300  # characters


def misfits(dataset: DatasetBase) -> Iterator[Misfit]:
    """What is missing, or is not as the spec says."""
    if not isinstance(dataset, Own):
        return
    for key in PATHS:
        value = getattr(dataset, key)
        if value is not None and not folders.there(Path(value)) and not _can_wait(dataset):
            yield Misfit("NN127", ("dataset", key), _absence(Path(value)))
        elif value is not None and isinstance(dataset, Images) and Path(value).is_file():
            message = f"{_whole(Path(value))} is a file, and pictures lie in a folder per class"
            yield Misfit("NN127", ("dataset", key), message)
        elif value is not None and isinstance(dataset, Images) and folders.there(Path(value)):
            yield from _of_classes(dataset, key)
        elif value is not None and isinstance(dataset, Text):
            yield from own_tables.of_texts(dataset, key)
        elif value is not None and isinstance(dataset, Table):
            yield from own_tables.of_table(dataset, key)


def absent_for_now(about: Subject) -> Iterator[Finding]:
    """NN228."""
    dataset = about.spec.dataset
    if not isinstance(dataset, Own):
        return
    for key in PATHS:
        value = getattr(dataset, key)
        if value is not None and not folders.there(Path(value)):
            yield Finding("NN228", ("dataset", key), _absence(Path(value)))


def _can_wait(dataset: Own) -> bool:
    """Whether the spec says enough to be checked without the data."""
    return isinstance(dataset, Images) and dataset.classes is not None


def _absence(path: Path) -> str:
    try:
        guess = nearest(path.name, [each.name for each in path.parent.iterdir()])
    except OSError:
        guess = None
    hint = f"; did you mean {shown(guess)}?" if guess else ""
    return f"{_whole(path)} is not there{hint}"


def _whole(path: Path) -> str:
    """A path from its root on, so that a wrong folder above it shows; its end where it is endless."""
    text = str(path)
    return f"'{text}'" if len(text) <= _LONGEST else f"'…{text[-_LONGEST:]}'"


def _of_classes(dataset: Images, key: str) -> Iterator[Misfit]:
    at = ("dataset", key)
    try:
        found = folders.classes(Path(getattr(dataset, key)))
        trained = folders.classes(Path(dataset.path))
    except OSError as error:
        yield Misfit("NN127", at, f"cannot be read: {error.strerror or error}")
        return
    if key == PATHS[0] and len(found) < 2:
        many = "1 folder" if len(found) == 1 else f"{len(found)} folders"
        message = f"holds {many}, and pictures need one for each of two classes or more"
        yield Misfit("NN127", at, message)
    elif key == PATHS[0] and dataset.classes not in (None, len(found)):
        message = f"is {dataset.classes}, but there are {len(found)} folders in {dataset.path}"
        yield Misfit("NN127", ("dataset", "classes"), message)
    elif others := sorted({*found} - {*trained}):
        named = listed([shown(name) for name in others], "and")
        yield Misfit("NN127", at, f"holds {named}, which {dataset.path} does not")


RULES = {"NN228": absent_for_now}
