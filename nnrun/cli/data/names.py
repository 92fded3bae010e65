"""The data sets that a person can name, and the files that a command means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, get_args

from nnrun.errors import CommandError

if TYPE_CHECKING:
    from nnrun.cache.file import File
    from nnrun.spec.dataset_base import DatasetBase

EMBEDDED = "comes with an installed library"


def registered() -> dict[str, type[DatasetBase]]:
    """Every published data set by its name in a spec, in the order of the documentation."""
    from nnrun.spec import dataset, keys
    from nnrun.spec.dataset_base import DatasetBase
    from nnrun.spec.own import Own

    return {
        get_args(cls.model_fields["name"].annotation)[0]: cls
        for cls in keys.nested(dataset.Dataset)
        if issubclass(cls, DatasetBase) and not issubclass(cls, Own)
    }


def check(names: Iterable[str]) -> None:
    """Refuses names that no data set has.

    Raises:
        CommandError: with all of them, and the nearest that there is.
    """
    from nnrun.spec.suggest import nearest
    from nnrun.spec.words import listed

    known = list(registered())
    said = []
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            hint = f"did you mean '{guess}'?" if guess else f"there are {listed(known, 'and')}"
            said.append(f"there is no data set '{name}'; {hint}")
    if said:
        raise CommandError("\n".join(said))


def as_json(file: File, **facts: Any) -> dict[str, Any]:
    """A file as every verb's `--json` gives it, with what the verb found."""
    return {"dataset": file.dataset, "name": file.name, "path": str(file.path), **facts}
