"""Faults as GitHub Actions shows them beside the line, by the workflow commands it documents.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import os
from pathlib import Path

from nnrun import inert
from nnrun.errors import GATE, OVERRIDE, Fault


def wanted() -> bool:
    """Whether this runs where somebody reads annotations."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotation(fault: Fault, spec: Path | None = None) -> str:
    """One line that GitHub turns into a remark.

    Args:
        fault: what is wrong.
        spec: the file to name where the fault itself stands in none, as in `--set`.

    Example:
        >>> annotation(Fault("NN104", "model[2]", "unknown layer 'Dens'"), Path("a.yaml"))
        "::error file=a.yaml,title=NN104::model[2]: unknown layer 'Dens'"
    """
    place, level = fault.place, "warning" if fault.is_warning else "error"
    where = {"file": str(spec) if spec else None, "title": fault.code}
    if place and place.source not in (OVERRIDE, GATE):
        end = place.column + place.length
        where = {
            "file": place.source,
            "line": str(place.line),
            "col": str(place.column),
            "endColumn": str(end),
            "title": fault.code,
        }
    properties = ",".join(f"{key}={_escaped(value)}" for key, value in where.items() if value)
    hint = f"; did you mean '{fault.suggestion}'?" if fault.suggestion else ""
    path = f"{fault.path}: " if fault.path else ""
    return f"::{level} {properties}::{_message(f'{path}{fault.message}{hint}')}"


def _message(text: str) -> str:
    return inert.text(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
