"""Runs that start at the same second do not share a folder."""

from __future__ import annotations

from pathlib import Path

import specs
import starts
from folders import contents
from forkserver import ForkServer

SECOND = 1767268800


def test_runs_of_one_second_are_each_whole(server: ForkServer, bench: Path) -> None:
    """The time of day stands still for all of them, so each wants the same name."""
    spec = specs.written(bench, "together", specs.DIGITS)
    alone = starts.ended(0, server.run("train", spec, "--json", "--runs", bench / "alone").out, "")
    root = bench / "together"
    pending = [
        server.start("train", spec, "--json", "--runs", root, second=SECOND) for _ in range(3)
    ]
    answers = [each.answer() for each in pending]
    ended = [starts.ended(each.code or 0, each.out, each.err) for each in answers]
    assert alone.run
    known, _ = contents(alone.run)

    assert list(starts.complaints(ended, root, known)) == []
    assert starts.shared_seconds(root) == 3
