"""Whatever is done to a spec, it loads or is refused: quickly, and in little memory.

`tests/spec/fuzzing.py` says what is done; it runs in a process of its own, so that the memory is its
own too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MOST_MEMORY = 200  # megabytes, interpreter included


def fuzzed(*arguments: object) -> dict[str, Any]:
    """The figures of one run; a failure carries the seed and the text."""
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "spec" / "fuzzing.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def test_three_hundred_changed_specs_load_or_are_refused() -> None:
    figures = fuzzed("--count", 300, "--seed", 1)

    assert figures["refused"] + figures["loaded"] == 300
    assert min(figures["refused"], figures["loaded"]) > 15
    assert figures["megabytes"] < MOST_MEMORY


@pytest.mark.slow
def test_twenty_thousand_changed_specs_load_or_are_refused() -> None:
    figures = fuzzed("--count", 20_000)

    assert figures["refused"] + figures["loaded"] == 20_000
    assert figures["slowest"] < 1
    assert figures["megabytes"] < MOST_MEMORY


def test_the_same_seed_makes_the_same_changes() -> None:
    """Or a failure could not be looked at again."""
    one, other = (fuzzed("--only", 7)["refused"] for _ in range(2))

    assert one == other
