"""A run that is killed and resumed ends as if nothing had happened."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from forkserver import ForkServer
from killing import SUBJECTS, Case, Subject, refer

SCRIPT = Path(__file__).with_name("kills.py")


@pytest.mark.parametrize("subject", SUBJECTS[1:2], ids=lambda subject: subject.name)
def test_a_killed_run_is_resumed_to_the_same_bytes(
    subject: Subject, server: ForkServer, bench: Path
) -> None:
    """Whatever the moment, and though it is killed once more while it is resumed."""
    reference = refer(subject, server, bench, ways=[True])
    outcomes = [Case(n, reference, server, random.Random(n)).run() for n in range(1)]

    assert [sentence for each in outcomes for sentence in each.wrong] == []
    assert sum(len(each.moments) for each in outcomes) >= 1


@pytest.mark.parametrize("verb", ["train", "kfold"])
def test_ten_kills_end_equal(verb: str, bench: Path) -> None:
    """In forks and in fresh processes; of a cross-validation also the parent, or a worker alone."""
    command = [sys.executable, str(SCRIPT), "--verb", verb, "--kills", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "kills end equal" in done.stdout
