"""Files that callbacks write: inside the run folder and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from nnrun.spec.finding import Finding
from nnrun.spec.tree import Path
from nnrun.spec.words import shown

# A field such as `{epoch:02d}`; another could become `..`, whatever stands around it, or so wide
# that it fills the memory.
_FIELDS = re.compile(r"\{[A-Za-z_]\w*(?::0?\d{0,2}(?:\.\d{1,2})?[defg]?)?\}", re.ASCII)


def check(value: Any, path: Path) -> Iterator[Finding]:
    """What is wrong with the name of a file that a callback writes into the run folder."""
    if not isinstance(value, str) or not value:
        yield Finding("NN114", path, f"must be a file's name, got {shown(value)}")
        return
    windows = PureWindowsPath(value)
    outside = PurePosixPath(value).is_absolute() or windows.drive or windows.root
    if outside or ".." in windows.parts or value.startswith("~") or "://" in value:
        message = f"must be a path inside the run folder, got {shown(value)}"
        yield Finding("NN116", path, message)
    elif set(_FIELDS.sub("", value)) & set("{}"):
        message = f"may have fields such as {{epoch:02d}} in it and no others, got {shown(value)}"
        yield Finding("NN116", path, message)
