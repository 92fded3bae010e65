"""From a file to an experiment: read, extend, override, check, and all faults at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from nnrun.errors import GATE, OVERRIDE, Fault, Place, SpecError
from nnrun.spec import blocks, components, consequences, messages, own
from nnrun.spec.dumping import digest, dump
from nnrun.spec.experiment import Experiment
from nnrun.spec.extending import Reading
from nnrun.spec.finding import USED, Finding
from nnrun.spec.merging import Override
from nnrun.spec.short_forms import expand
from nnrun.spec.tree import Node, Path

__all__ = ["MOST_FAULTS", "Loaded", "digest", "dump", "foremost", "in_order", "load"]

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


def load(path: File, *, overrides: Sequence[str] = (), gates: Sequence[str] = ()) -> Loaded:
    """Reads and checks a spec.

    Args:
        path: the file, as the person named it.
        overrides: such as `training.epochs=3`, applied in order.
        gates: overrides of `expect`, as `--expect` gives them.

    Raises:
        SpecError: with all that is wrong, in the order of the file.
    """
    reading = Reading()
    root = reading.file(path)
    faults = reading.faults
    if root is None:
        raise SpecError(foremost(faults, str(path)))
    given = [*(Override(text) for text in overrides), *(Override(text, GATE) for text in gates)]
    for override in given:
        root = override.on(root)
        faults += override.faults
    root, wrong = blocks.written_out(root)
    root = own.located(expand(root), given=(OVERRIDE, GATE))
    experiment = _checked(root, path, [*faults, *wrong])
    return Loaded(experiment, (*overrides, *gates), root)


def _checked(root: Node, path: File, faults: list[Fault]) -> Experiment:
    raw: dict[str, Any] = {"name": name_of(path), **root.plain()}
    findings = list(islice(components.check(raw), MOST_FAULTS + 1))
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        known = {finding.path for finding in findings}
        others = (each for each in messages.findings(error, raw) if each.path not in known)
        findings += islice(others, MOST_FAULTS + 1)
    findings, read = consequences.without(findings, faults)
    # A block that is wrong is wrong in the same place for the one who looks at its layers.
    blamed = {fault.place for fault in read if fault.code == "NN010"}
    found = (finding.fault(root) for finding in findings)
    if told := [*read, *(fault for fault in found if fault.place not in blamed)]:
        raise SpecError(foremost(told, str(path)))
    return experiment


def foremost(faults: Sequence[Fault], first: str) -> tuple[Fault, ...]:
    """As many faults as a person reads, in order, and whether there are more."""
    found = in_order(faults, first)
    if len(found) <= MOST_FAULTS:
        return found
    if all(fault.is_warning for fault in found):
        last = found[MOST_FAULTS - 1]
        more = f"{last.message}; there are more warnings, told when these are heeded"
        return (*found[: MOST_FAULTS - 1], replace(last, message=more))
    more = "there is more that is wrong; it is told when this is mended"
    return (*found[:MOST_FAULTS], Fault("NN007", "", more, found[MOST_FAULTS - 1].place))


def in_order(faults: Sequence[Fault], first: str) -> tuple[Fault, ...]:
    """File by file, each from top to bottom, overrides last; each fault once.

    What an alias repeats has the place of its anchor, and only a position in a list tells it apart.

    Args:
        faults: in any order.
        first: the file to begin with.
    """
    once: dict[tuple[str, str, str, Place | None], Fault] = {}
    for fault in faults:
        path = re.sub(r"\[\d+\]", "[]", fault.path)
        # One mistake in a block is one fault, however often the block is used.
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
    """The name of an experiment without one: its file's stem, fit for a folder's name.

    Example:
        >>> name_of(File("configs/my net.yaml"))
        'my-net'
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem).lstrip(".-")
    return name[:80].rstrip(".") or "experiment"
