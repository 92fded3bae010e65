"""A randomly changed spec loads or is refused: quickly, and in little memory.

`tools/faults/fuzzing.py` makes the changes, in its own process, so that its memory can be measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_MEMORY = 200  # megabytes, interpreter included


def test_changed_specs_load_or_are_refused() -> None:
    program = ROOT / "tools" / "faults" / "fuzzing.py"
    done = subprocess.run(
        [sys.executable, program, "--count", "150", "--seed", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr  # with the seed and the text
    figures = json.loads(done.stdout)

    assert figures["refused"] + figures["loaded"] == 150
    assert min(figures["refused"], figures["loaded"]) > 8
    assert figures["megabytes"] < MOST_MEMORY
