"""Writes what is told of every broken spec here into the `.txt` beside it.

    python tests/broken/renew.py

Run it after a deliberate change of a message, and read the difference before committing it: the
texts are what people see. A new spec goes into the folder of what is wrong with it, as
`NNN-what-is-wrong.yaml` with the next free number; a first line such as `# --set training.epoch=3`
gives it arguments. For a new key of the language add one spec to `keys/`, in which it is misspelt,
and one to `types/`, in which its value is of a wrong type.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from nnrun.errors import Fault, SpecError
from nnrun.spec.loading import load
from nnrun.spec.rendering import render

HERE = Path(__file__).parent
SPECS = sorted(path.relative_to(HERE) for path in HERE.glob("*/[0-9]*.yaml"))


def faults(spec: Path) -> tuple[Fault, ...]:
    """What is wrong with a spec, named from this folder; nothing if it loads after all."""
    first = spec.read_bytes().partition(b"\n")[0].decode("utf-8", "replace")
    arguments = shlex.split(first.lstrip("# ")) if first.startswith("# --set ") else []
    try:
        load(spec, overrides=[each for each in arguments if each != "--set"])
    except SpecError as error:
        return error.faults
    return ()


def told(spec: Path) -> str:
    """What `nnrun train` says of a spec."""
    return "".join(f"{render(fault)}\n" for fault in faults(spec))


def renew() -> None:
    """Writes all texts anew."""
    os.chdir(HERE)
    for spec in SPECS:
        spec.with_suffix(".txt").write_text(told(spec), "utf-8")


if __name__ == "__main__":
    renew()
