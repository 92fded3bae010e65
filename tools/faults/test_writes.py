"""Whatever call of the file layer goes wrong: a clear end, and nothing half-written.

`tools/faults/writes.py` says what is done to which call; `make faults` does it to every one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import writes
from disturbed import MADE
from forkserver import ForkServer


def test_a_failing_call_leaves_nothing_half_written(server: ForkServer, bench: Path) -> None:
    """Each file of a run once, in turn on a full disk, a read-only one, and by a kill."""
    plan = writes.plan(MADE["callbacks"], server, bench)
    with ThreadPoolExecutor(2) as pool:
        wrong = pool.map(lambda case: plan.check(*case), writes.spread(plan.calls))

    assert [sentence for each in wrong for sentence in each] == []
