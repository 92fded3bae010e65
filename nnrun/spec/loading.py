"""Reads a spec file: extend, override, expand and validate it, and report all faults at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from nnrun.errors import GATE, OVERRIDE, Fault, Place, SpecError
from nnrun.spec import blocks, dataset, keras_names, messages
from nnrun.spec.experiment import Experiment
from nnrun.spec.extending import Override, SpecReader, expand
from nnrun.spec.tree import USED, KeyPath, Node, Problem, dotted


def drop_consequences(
    findings: Sequence[Problem], faults: Sequence[Fault]
) -> tuple[list[Problem], list[Fault]]:
    """Removes problems that only follow from others.

    Args:
        findings: problems of values.
        faults: faults of the YAML text.
    """
    tagged = {fault.path for fault in faults if fault.code == "NN006"}
    left = [
        finding
        for finding in _not_missing(findings, faults)
        if not (tagged and _below(finding.path, tagged))
    ]
    # Where a list is expected, duplicate keys do not matter.
    lists = {dotted(finding.path) for finding in left if finding.code == "NN103"}
    read = [f for f in faults if f.code != "NN005" or f.path.rpartition(".")[0] not in lists]
    return left, read


def _not_missing(findings: Sequence[Problem], faults: Sequence[Fault]) -> list[Problem]:
    """Without missing keys that are misspelt, or that an unreadable file may have."""
    meant = {path for finding in findings for path in finding.meant}
    unread = ("extends",) in meant or any(fault.code == "NN008" for fault in faults)
    return [
        finding
        for finding in findings
        if finding.code != "NN102" or not (unread or finding.path in meant)
    ]


def _below(path: KeyPath, tagged: set[str]) -> bool:
    """Whether a value, or one that contains it, has a tag."""
    return any(dotted(path[:end]) in tagged for end in range(1, len(path) + 1))


MOST_FAULTS = 100  # each suggestion takes a millisecond


@dataclass(frozen=True)
class Loaded:
    """An experiment and its source.

    Args:
        overrides: of `--set`, in order.
        root: every value with its place.
    """

    experiment: Experiment
    overrides: tuple[str, ...]
    root: Node

    def fault(
        self,
        code: str,
        path: KeyPath,
        message: str,
        *,
        suggestion: str | None = None,
        key: bool = False,
    ) -> Fault:
        """A fault with the place of the path or of its nearest parent."""
        return Problem(code, path, message, suggestion, key=key).fault(self.root)


def load(path: File, *, overrides: Sequence[str] = (), gates: Sequence[str] = ()) -> Loaded:
    """Reads and validates a spec.

    Args:
        path: the file, as given by the user.
        overrides: such as `training.epochs=3`, applied in order.
        gates: overrides of `expect`, from `--expect`.

    Raises:
        SpecError: with all faults, in the order of the file.
    """
    reading = SpecReader()
    root = reading.file(path)
    faults = reading.faults
    if root is None:
        raise SpecError(first_faults(faults, str(path)))
    given = [*(Override(text) for text in overrides), *(Override(text, GATE) for text in gates)]
    for override in given:
        root = override.on(root)
        faults += override.faults
    root, wrong = blocks.expand_blocks(root)
    root = dataset.resolve_paths(expand(root), given=(OVERRIDE, GATE))
    experiment = _checked(root, path, [*faults, *wrong])
    return Loaded(experiment, (*overrides, *gates), root)


def _checked(root: Node, path: File, faults: list[Fault]) -> Experiment:
    raw: dict[str, Any] = {"name": name_of(path), **root.plain()}
    findings = list(islice(keras_names.check(raw), MOST_FAULTS + 1))
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        known = {finding.path for finding in findings}
        others = (each for each in messages.problems(error, raw) if each.path not in known)
        findings += islice(others, MOST_FAULTS + 1)
    findings, read = drop_consequences(findings, faults)
    # A faulty block is reported once, not also for its layers.
    blamed = {fault.place for fault in read if fault.code == "NN010"}
    later = (finding.fault(root) for finding in findings)
    if faults := [*read, *(fault for fault in later if fault.place not in blamed)]:
        raise SpecError(first_faults(faults, str(path)))
    return experiment


def first_faults(faults: Sequence[Fault], first: str) -> tuple[Fault, ...]:
    """At most `MOST_FAULTS` faults, in order; the last says whether there are more."""
    ordered = sort_faults(faults, first)
    if len(ordered) <= MOST_FAULTS:
        return ordered
    if all(fault.is_warning for fault in ordered):
        last = ordered[MOST_FAULTS - 1]
        more = f"{last.message}; there are more warnings, shown once these are resolved"
        return (*ordered[: MOST_FAULTS - 1], replace(last, message=more))
    more = "there are more faults, shown once these are corrected"
    return (*ordered[:MOST_FAULTS], Fault("NN007", "", more, ordered[MOST_FAULTS - 1].place))


def sort_faults(faults: Sequence[Fault], first: str) -> tuple[Fault, ...]:
    """Sorts faults by file, line and column, with overrides last; each is kept once.

    Faults repeated by an alias differ only in list positions.

    Args:
        faults: in any order.
        first: the first file.
    """
    once: dict[tuple[str, str, str, Place | None], Fault] = {}
    for fault in faults:
        path = re.sub(r"\[\d+\]", "[]", fault.path)
        # A fault in a block is reported once for all its uses.
        message, used, _ = fault.message.partition(USED)
        once.setdefault((fault.code, "" if used else path, message, fault.place), fault)
    sources = [first, *(fault.place.source for fault in faults if fault.place)]

    def position(fault: Fault) -> tuple[bool, int, int, int]:
        if fault.place is None:
            return False, -1, 0, 0
        source = fault.place.source
        return (
            source in (OVERRIDE, GATE),
            sources.index(source),
            fault.place.line,
            fault.place.column,
        )

    return tuple(sorted(once.values(), key=position))


def name_of(path: File) -> str:
    """The default name of an experiment: the file's stem, made fit for a folder.

    Example:
        >>> name_of(File("configs/my net.yaml"))
        'my-net'
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem).lstrip(".-")
    return name[:80].rstrip(".") or "experiment"
