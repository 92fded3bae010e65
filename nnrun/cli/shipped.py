"""The specs that come with nnrun."""

from __future__ import annotations

import os
from pathlib import Path

import nnrun
from nnrun.errors import Fault, SpecError
from nnrun.spec.suggest import nearest
from nnrun.spec.words import nearby

_PACKAGE = Path(nnrun.__file__).parent


def folder() -> Path:
    """Where they are: in the package when installed, beside it in a checkout."""
    installed = _PACKAGE / "configs"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs"


def names() -> list[str]:
    """What they are called, such as `digits` or `architectures/resnet20`."""
    found = (path.relative_to(folder()) for path in folder().rglob("*.yaml"))
    return sorted(path.with_suffix("").as_posix() for path in found)


def find(spec: Path) -> Path:
    """The file that a person means: `digits` is a shipped one, unless such a file is here.

    A folder of that name is most often of the pictures or runs that it is about.

    Raises:
        SpecError: there is neither.
    """
    if os.path.lexists(spec) and not (spec.is_dir() and str(spec) in names()):
        return spec
    if str(spec) in names():
        return folder() / f"{spec}.yaml"
    beside = (
        sorted(path.name for path in spec.parent.glob("*.y*ml")) if spec.parent.is_dir() else []
    )
    guess = nearest(spec.name, beside)
    some = nearby(spec.stem, names(), f"in {folder()}")
    message = f"there is no file '{spec}'; shipped specs are {some}"
    suggestion = str(spec.parent / guess) if guess else nearest(spec.stem, names())
    raise SpecError((Fault("NN001", "", message, None, suggestion),))
