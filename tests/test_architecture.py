"""The shape of the code: which way imports go, and that a stranger finds the room."""

from __future__ import annotations

import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
LOOSE = {"__init__", "__main__", "errors", "types"}
VAGUE = {"util", "utils", "helper", "helpers", "manager", "common", "misc"}


def modules() -> list[Path]:
    return sorted((ROOT / "nnrun").rglob("*.py"))


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


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count too."""
    graph = grimp.build_graph("nnrun", cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}

    assert len(list(TopologicalSorter(imports).static_order())) >= len(modules())


def test_every_module_lives_in_the_package_of_its_subject() -> None:
    """At most 17 entries stand directly in `nnrun/`: 13 packages and four modules."""
    loose = {path.stem for path in (ROOT / "nnrun").glob("*.py")}
    packages = {path.parent for path in (ROOT / "nnrun").glob("*/__init__.py")}

    assert loose == LOOSE
    assert len(packages) <= 13


def test_every_module_is_named_after_what_it_holds() -> None:
    """What is in `utils` is anybody's guess."""
    assert not VAGUE & {path.stem for path in modules()}
