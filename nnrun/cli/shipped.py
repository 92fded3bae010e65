"""The specs that come with nnrun."""

from __future__ import annotations

from pathlib import Path

import nnrun

_PACKAGE = Path(nnrun.__file__).parent


def folder() -> Path:
    """Where they are: in the package when installed, beside it in a checkout."""
    installed = _PACKAGE / "configs"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs"


def names() -> list[str]:
    """What they are called, such as `digits`."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def find(spec: Path) -> Path:
    """The file that a person means: `digits` is a shipped one, unless such a file is here."""
    if not spec.exists() and str(spec) in names():
        return folder() / f"{spec}.yaml"
    return spec
