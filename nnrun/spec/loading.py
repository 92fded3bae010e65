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
from nnrun.spec import blocks, dataset, keras_names, messages
from nnrun.spec.experiment import Experiment
from nnrun.spec.extending import Override, SpecReader, expand
from nnrun.spec.tree import USED, KeyPath, Node, Problem, dotted

# Short forms written out: `Dense: 16` becomes `Dense: {units: 16}`, `dataset: imdb` a mapping.


# One mistake is one fault: what only follows from another fault is not told.


def drop_consequences(
    findings: Sequence[Problem], faults: Sequence[Fault]
) -> tuple[list[Problem], list[Fault]]:
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


def _not_missing(findings: Sequence[Problem], faults: Sequence[Fault]) -> list[Problem]:
    """Without keys that are there, though misspelt, or that a file not read would have brought."""
    meant = {path for finding in findings for path in finding.meant}
    unread = ("extends",) in meant or any(fault.code == "NN008" for fault in faults)
    return [
        finding
        for finding in findings
        if finding.code != "NN102" or not (unread or finding.path in meant)
    ]


def _below(path: KeyPath, tagged: set[str]) -> bool:
    """Whether a value has a tag, or one that holds it has: what it is was not asked for."""
    return any(dotted(path[:end]) in tagged for end in range(1, len(path) + 1))


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
        path: KeyPath,
        message: str,
        *,
        suggestion: str | None = None,
        key: bool = False,
    ) -> Fault:
        """A fault found later, with the place of the path or of its nearest parent."""
        return Problem(code, path, message, suggestion, key=key).fault(self.root)


def load(path: File, *, overrides: Sequence[str] = (), gates: Sequence[str] = ()) -> Loaded:
    """Reads and checks a spec.

    Args:
        path: the file, as the person named it.
        overrides: such as `training.epochs=3`, applied in order.
        gates: overrides of `expect`, as `--expect` gives them.

    Raises:
        SpecError: with all that is wrong, in the order of the file.
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
    # A block that is wrong is wrong in the same place for the one who looks at its layers.
    blamed = {fault.place for fault in read if fault.code == "NN010"}
    found = (finding.fault(root) for finding in findings)
    if told := [*read, *(fault for fault in found if fault.place not in blamed)]:
        raise SpecError(first_faults(told, str(path)))
    return experiment


def first_faults(faults: Sequence[Fault], first: str) -> tuple[Fault, ...]:
    """As many faults as a person reads, in order, and whether there are more."""
    found = sort_faults(faults, first)
    if len(found) <= MOST_FAULTS:
        return found
    if all(fault.is_warning for fault in found):
        last = found[MOST_FAULTS - 1]
        more = f"{last.message}; there are more warnings, told when these are heeded"
        return (*found[: MOST_FAULTS - 1], replace(last, message=more))
    more = "there is more that is wrong; it is told when this is mended"
    return (*found[:MOST_FAULTS], Fault("NN007", "", more, found[MOST_FAULTS - 1].place))


def sort_faults(faults: Sequence[Fault], first: str) -> tuple[Fault, ...]:
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
