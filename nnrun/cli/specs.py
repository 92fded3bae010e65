"""Specs named on the command line: files, or specs shipped with nnrun."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nnrun
from nnrun.errors import CommandError, Fault, IncompatibleSpec, SpecError
from nnrun.runs import layout
from nnrun.spec import code
from nnrun.spec.suggest import list_nearest, nearest

if TYPE_CHECKING:
    from nnrun.spec.loading import Loaded

_PACKAGE = Path(nnrun.__file__).parent
_GATE = re.compile(r"\s*([\w-]+)(?:\s*[:=](?!=)\s*|\s+|(?=[<>=]))(\S.*?)\s*\Z")


def shipped_folder() -> Path:
    """Folder of the shipped specs: in the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "configs"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs"


def shipped_names() -> list[str]:
    """Names of the shipped specs, such as `digits` or `architectures/resnet20`."""
    paths = (path.relative_to(shipped_folder()) for path in shipped_folder().rglob("*.yaml"))
    return sorted(path.with_suffix("").as_posix() for path in paths)


def find_spec(spec: Path) -> Path:
    """The file of a spec: a path, or else the name of a shipped spec.

    A folder with the name of a shipped spec is ignored: it often holds the data or the runs.
    """
    if os.path.lexists(spec) and not (spec.is_dir() and str(spec) in shipped_names()):
        return spec
    if str(spec) in shipped_names():
        return shipped_folder() / f"{spec}.yaml"
    guess = nearest(spec.name, sorted(path.name for path in spec.parent.glob("*.y*ml")))
    shipped = list_nearest(spec.stem, shipped_names(), f"in {shipped_folder()}")
    message = f"there is no file '{spec}'; shipped specs are {shipped}"
    suggestion = str(spec.parent / guess) if guess else nearest(spec.stem, shipped_names())
    raise SpecError((Fault("NN001", "", message, None, suggestion),))


def read_spec(
    spec: Path,
    overrides: Sequence[str],
    expect: Sequence[str] = (),
    *,
    allow_code: bool = False,
) -> Loaded:
    """Reads a spec, with values of `--set` and `--expect`, and checks it without data.

    Args:
        allow_code: whether its Python files may run from now on; else it is refused if they may not.
    """
    from nnrun import check

    gates = expect_overrides(expect)
    loaded = check.read(find_spec(spec), overrides=overrides, gates=gates, own=layout.OWN)
    allow(loaded, allow_code=allow_code)
    return loaded


def allow(loaded: Loaded, *, allow_code: bool) -> None:
    """Allows the Python files of a spec, or refuses it if they are not allowed yet."""
    from nnrun.cli import console

    files = loaded.experiment.code
    if allow_code and files and (reason := code.allow(files)):
        console.print_notes([f"the permission is only for this command: {reason}"])
    with located_errors(loaded):
        code.check_allowed(files)


def expect_overrides(expect: Sequence[str]) -> list[str]:
    """The overrides for values of `--expect`, such as `expect.test_accuracy='>=0.9'`."""
    overrides = []
    for text in expect:
        match = _GATE.match(text)
        if match is None:
            raise CommandError(f"--expect '{text}': must look like 'test_accuracy >= 0.9'")
        condition = match[2].replace("'", "''")
        overrides.append(f"expect.{match[1]}='{condition}'")
    return overrides


@contextmanager
def located_errors(loaded: Loaded) -> Iterator[None]:
    """Turns an IncompatibleSpec into a SpecError with the place of the value in the file."""
    try:
        yield
    except IncompatibleSpec as problem:
        fault = loaded.fault(problem.code, problem.path, problem.message)
        raise SpecError((fault,)) from problem
