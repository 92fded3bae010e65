"""One mistake is one fault: what only follows from another fault is not told."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun.errors import Fault
from nnrun.spec.finding import Finding
from nnrun.spec.tree import Path, dotted


def without(
    findings: Sequence[Finding], faults: Sequence[Fault]
) -> tuple[list[Finding], list[Fault]]:
    """What is left when consequences are taken out.

    Args:
        findings: what is wrong with the values.
        faults: what was wrong already when they were read.
    """
    tagged = {fault.path for fault in faults if fault.code == "NN006"}
    left = [
        finding
        for finding in _not_missing(findings, faults)
        if not (tagged and _below(finding.path, tagged))
    ]
    # What should be a list has no keys, and so none of them twice.
    lists = {dotted(finding.path) for finding in left if finding.code == "NN103"}
    read = [f for f in faults if f.code != "NN005" or f.path.rpartition(".")[0] not in lists]
    return left, read


def _not_missing(findings: Sequence[Finding], faults: Sequence[Fault]) -> list[Finding]:
    """Without keys that are there, though misspelt, or that a file not read would have brought."""
    meant = {path for finding in findings for path in finding.meant}
    unread = ("extends",) in meant or any(fault.code == "NN008" for fault in faults)
    return [
        finding
        for finding in findings
        if finding.code != "NN102" or not (unread or finding.path in meant)
    ]


def _below(path: Path, tagged: set[str]) -> bool:
    """Whether a value has a tag, or one that holds it has: what it is was not asked for."""
    return any(dotted(path[:end]) in tagged for end in range(1, len(path) + 1))
