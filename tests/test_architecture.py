"""The shape of the code: which way imports go, and how long a module gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "nnrun").rglob("*.py"))
every_module = pytest.mark.parametrize(
    "module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix()
)


def test_imports_keep_the_contracts() -> None:
    """They stand in pyproject.toml: data flows one way, and Keras and Matplotlib have a place."""
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    answer = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stdout
    assert "0 broken" in answer.stdout


@every_module
def test_a_module_is_short_enough_to_be_read(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 300


@every_module
def test_a_module_is_called_after_what_it_holds(module: Path) -> None:
    """What is in `utils` is anybody's guess."""
    assert module.stem not in {"util", "utils", "helper", "helpers", "manager", "common", "misc"}
