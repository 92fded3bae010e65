"""How every verb reads the specs that it is given."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import nnrun
from nnrun.errors import CommandError, Fault, SpecError
from nnrun.runs import layout
from nnrun.spec.text import nearby, nearest

if TYPE_CHECKING:
    from nnrun.spec.loading import Loaded


# The specs that come with nnrun.

_PACKAGE = Path(nnrun.__file__).parent


def shipped_folder() -> Path:
    """Where they are: in the package when installed, beside it in a checkout."""
    installed = _PACKAGE / "configs"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs"


def shipped_names() -> list[str]:
    """What they are called, such as `digits` or `architectures/resnet20`."""
    found = (path.relative_to(shipped_folder()) for path in shipped_folder().rglob("*.yaml"))
    return sorted(path.with_suffix("").as_posix() for path in found)


def find(spec: Path) -> Path:
    """The file that a person means: `digits` is a shipped one, unless such a file is here.

    A folder of that name is most often of the pictures or runs that it is about.

    Raises:
        SpecError: there is neither.
    """
    if os.path.lexists(spec) and not (spec.is_dir() and str(spec) in shipped_names()):
        return spec
    if str(spec) in shipped_names():
        return shipped_folder() / f"{spec}.yaml"
    beside = (
        sorted(path.name for path in spec.parent.glob("*.y*ml")) if spec.parent.is_dir() else []
    )
    guess = nearest(spec.name, beside)
    some = nearby(spec.stem, shipped_names(), f"in {shipped_folder()}")
    message = f"there is no file '{spec}'; shipped specs are {some}"
    suggestion = str(spec.parent / guess) if guess else nearest(spec.stem, shipped_names())
    raise SpecError((Fault("NN001", "", message, None, suggestion),))


_GATE = re.compile(r"\s*([\w-]+)(?:\s*[:=](?!=)\s*|\s+|(?=[<>=]))(\S.*?)\s*\Z")


def read(spec: Path, overrides: Sequence[str], expect: Sequence[str] = ()) -> Loaded:
    """A spec by its file or its shipped name, free of all faults that can be found without data.

    Args:
        spec: as the person named it.
        overrides: as given with `--set`.
        expect: as given with `--expect`.

    Raises:
        SpecError: with all that is wrong.
        CommandError: an expectation names nothing, or has no condition.
    """
    from nnrun import check

    return check.read(find(spec), overrides=overrides, gates=gates(expect), own=layout.OWN)


def gates(texts: Sequence[str]) -> list[str]:
    """What was given with `--expect`, as overrides.

    Raises:
        CommandError: it names nothing, or has no condition.

    Example:
        >>> gates(["test_accuracy>=0.9"])
        ["expect.test_accuracy='>=0.9'"]
    """
    return [_gate(text) for text in texts]


def _gate(text: str) -> str:
    found = _GATE.match(text)
    if found is None:
        raise CommandError(f"--expect '{text}': must look like 'test_accuracy >= 0.9'")
    condition = found[2].replace("'", "''")
    return f"expect.{found[1]}='{condition}'"
