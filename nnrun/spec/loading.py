"""From a file to an experiment: read, extend, override, check, and all faults at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from nnrun.errors import Fault, Place, SpecError
from nnrun.spec import components, messages
from nnrun.spec.dumping import dump
from nnrun.spec.experiment import Experiment
from nnrun.spec.finding import Finding, told_once
from nnrun.spec.merging import Override, Reading
from nnrun.spec.tree import Node, Path, dotted

__all__ = ["Loaded", "dump", "in_order", "load"]

MOST_FAULTS = 100  # nobody reads more, and to look for what was meant takes a millisecond each


@dataclass(frozen=True)
class Loaded:
    """An experiment and the text it was read from.

    Args:
        overrides: as given with `--set`, in order.
        root: every value with its place.
    """

    experiment: Experiment
    overrides: tuple[str, ...]
    root: Node

    def fault(
        self,
        code: str,
        path: Path,
        message: str,
        *,
        suggestion: str | None = None,
        key: bool = False,
    ) -> Fault:
        """A fault found later, with the place of the path or of its nearest parent."""
        return Finding(code, path, message, suggestion, key=key).fault(self.root)


def load(path: File, *, overrides: Sequence[str] = ()) -> Loaded:
    """Reads and checks a spec.

    Args:
        path: the file, as the person named it.
        overrides: such as `training.epochs=3`, applied in order.

    Raises:
        SpecError: with all that is wrong, in the order of the file.
    """
    reading = Reading()
    root = reading.file(path)
    faults = reading.faults
    if root is None:
        raise SpecError(in_order(faults, str(path)))
    for text in overrides:
        override = Override(text)
        root = override.on(root)
        faults += override.faults
    experiment = _checked(root, path, faults)
    return Loaded(experiment, tuple(overrides), root)


def _checked(root: Node, path: File, faults: list[Fault]) -> Experiment:
    raw: dict[str, Any] = {"name": name_of(path), **root.plain()}
    findings = list(islice(components.check(raw), MOST_FAULTS + 1))
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        known = {finding.path for finding in findings}
        others = (each for each in messages.findings(error, raw) if each.path not in known)
        findings += islice(others, MOST_FAULTS + 1)
    findings = _untold(told_once(findings), faults)
    lists = {dotted(finding.path) for finding in findings if finding.code == "NN103"}
    # What should be a list has no keys, and so none of them twice.
    faults = [f for f in faults if f.code != "NN005" or f.path.rpartition(".")[0] not in lists]
    # What a file that could not be read would have brought is not missing.
    unread = any(fault.code == "NN008" for fault in faults)
    faults += [found.fault(root) for found in findings if not (unread and found.code == "NN102")]
    if faults:
        raise SpecError(in_order(faults, str(path)))
    return experiment


def _untold(findings: Sequence[Finding], faults: Sequence[Fault]) -> list[Finding]:
    """Without what is wrong with a value only because it has a tag."""
    tagged = {fault.path for fault in faults if fault.code == "NN006"}

    def told(path: Path) -> bool:
        return any(dotted(path[:end]) in tagged for end in range(1, len(path) + 1))

    return [finding for finding in findings if not (tagged and told(finding.path))]


def in_order(faults: Sequence[Fault], first: str) -> tuple[Fault, ...]:
    """File by file, each from top to bottom, overrides last; each fault once, and not too many.

    What an alias repeats has the place of its anchor, and only a position in a list tells it apart.

    Args:
        faults: in any order.
        first: the file to begin with.
    """
    once: dict[tuple[str, str, str, Place | None], Fault] = {}
    for fault in faults:
        path = re.sub(r"\[\d+\]", "[]", fault.path)
        once.setdefault((fault.code, path, fault.message, fault.place), fault)
    sources = [first, *(fault.place.source for fault in faults if fault.place)]

    def position(fault: Fault) -> tuple[bool, int, int, int]:
        if fault.place is None:
            return False, -1, 0, 0
        source = fault.place.source
        return source == "--set", sources.index(source), fault.place.line, fault.place.column

    found = sorted(once.values(), key=position)
    if len(found) <= MOST_FAULTS:
        return tuple(found)
    last = found[MOST_FAULTS - 1]
    more = "there is more that is wrong; it is told when this is mended"
    return (*found[:MOST_FAULTS], Fault("NN007", "", more, last.place))


def name_of(path: File) -> str:
    """The name of an experiment without one: its file's stem, fit for a folder's name.

    Example:
        >>> name_of(File("configs/my net.yaml"))
        'my-net'
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem).lstrip(".-")
    return name[:80] or "experiment"
