"""Reads a spec file: extend, override, expand and validate it, and report all faults at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from nnrun.errors import GATE, OVERRIDE, Fault, Place, SpecError
from nnrun.spec import blocks, catalogue, code, dataset, keras_names, messages, signatures, training
from nnrun.spec.code import CodeFile
from nnrun.spec.experiment import Experiment
from nnrun.spec.extending import Override, SpecReader, expand
from nnrun.spec.tree import USED, KeyPath, Node, Problem, dotted

MOST_FAULTS = 100  # each suggestion takes a millisecond


@dataclass(frozen=True)
class Loaded:
    """An experiment, its overrides in order, and the source with every place."""

    experiment: Experiment
    overrides: tuple[str, ...]
    root: Node

    def fault(self, code: str, path: KeyPath, message: str, *, key: bool = False) -> Fault:
        """A fault with the place of the path or of its nearest parent."""
        return Problem(code, path, message, key=key).fault(self.root)


def load(path: Path, *, overrides: Sequence[str] = (), gates: Sequence[str] = ()) -> Loaded:
    """Reads and validates a spec.

    Args:
        overrides: such as `training.epochs=3`, applied in order.
        gates: overrides of `expect`, from `--expect`.

    Raises:
        SpecError: with all faults, in the order of the file.
    """
    use_names(())
    reader = SpecReader()
    root = reader.file(path)
    faults = reader.faults
    if root is None:
        raise SpecError(first_faults(faults, str(path)))
    # With the names known, short forms of their arguments are expanded before they are overridden.
    use_names(code.read(root, given=())[0])
    root = expand(root)
    given = [*(Override(text) for text in overrides), *(Override(text, GATE) for text in gates)]
    for override in given:
        root = override.on(root)
        faults += override.faults
    files, wrong = code.read(root, given=(OVERRIDE, GATE))
    use_names(files)
    faults += [*wrong, *signatures.read(files)[1]]
    root, wrong = blocks.expand_blocks(root)
    given_sources = (OVERRIDE, GATE)
    root = dataset.resolve_paths(expand(root), given=given_sources)
    root = training.resolve_paths(root, given=given_sources)
    experiment = _validate(root, path, [*faults, *wrong])
    if files:
        experiment = experiment.model_copy(update={"code": files})
    return Loaded(experiment, (*overrides, *gates), root)


def use_names(files: Sequence[CodeFile]) -> None:
    """Gives the names in the user's files their meaning, for checks; no file runs."""
    catalogue.use_own(signatures.read(tuple(files))[0])


def _validate(root: Node, path: Path, faults: Sequence[Fault]) -> Experiment:
    raw = {"name": name_of(path), **root.plain()}
    problems = list(islice(keras_names.check(raw), MOST_FAULTS + 1))
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        paths = {problem.path for problem in problems}
        others = (other for other in messages.problems(error, raw) if other.path not in paths)
        problems += islice(others, MOST_FAULTS + 1)
    problems, faults = _drop_consequences(problems, faults)
    # A faulty block is reported once, not also for its layers.
    blocked = {fault.place for fault in faults if fault.code == "NN010"}
    later = (problem.fault(root) for problem in problems)
    if faults := [*faults, *(fault for fault in later if fault.place not in blocked)]:
        raise SpecError(first_faults(faults, str(path)))
    return experiment


def _drop_consequences(
    problems: Sequence[Problem], faults: Sequence[Fault]
) -> tuple[list[Problem], list[Fault]]:
    """Removes problems of values, and faults of the YAML text, that only follow from others."""
    meant = {path for problem in problems for path in problem.meant}
    # Keys may be misspelt rather than missing, or be in an unreadable file.
    is_partial = ("extends",) in meant or any(fault.code == "NN008" for fault in faults)
    tagged = {fault.path for fault in faults if fault.code == "NN006"}

    def is_consequence(problem: Problem) -> bool:
        if problem.code == "NN102" and (is_partial or problem.path in meant):
            return True
        parts = range(1, len(problem.path) + 1)
        return bool(tagged) and any(dotted(problem.path[:end]) in tagged for end in parts)

    problems = [problem for problem in problems if not is_consequence(problem)]
    # Where a list is expected, duplicate keys do not matter.
    lists = {dotted(problem.path) for problem in problems if problem.code == "NN103"}
    kept = [f for f in faults if f.code != "NN005" or f.path.rpartition(".")[0] not in lists]
    return problems, kept


def first_faults(faults: Sequence[Fault], first: str) -> tuple[Fault, ...]:
    """At most `MOST_FAULTS` faults by file, line and column, once each; overrides come last.

    The last one tells if there are more.
    """
    ordered = _without_repeats(faults)
    sources = [first, *(fault.place.source for fault in faults if fault.place)]

    def position(fault: Fault) -> tuple[bool, int, int, int]:
        if fault.place is None:
            return False, -1, 0, 0
        source, line, column = fault.place.source, fault.place.line, fault.place.column
        return source in (OVERRIDE, GATE), sources.index(source), line, column

    ordered = sorted(ordered, key=position)
    if len(ordered) <= MOST_FAULTS:
        return tuple(ordered)
    last = ordered[MOST_FAULTS - 1]
    if all(fault.is_warning for fault in ordered):
        more = f"{last.message}; there are more warnings, shown once these are resolved"
        return (*ordered[: MOST_FAULTS - 1], replace(last, message=more))
    more = "there are more errors, shown once these are corrected"
    return (*ordered[:MOST_FAULTS], Fault("NN007", "", more, last.place))


def _without_repeats(faults: Sequence[Fault]) -> list[Fault]:
    """Faults repeated by an alias differ only in list positions; those in a block in its use."""
    once: dict[tuple[str, str, str, Place | None], Fault] = {}
    for fault in faults:
        path = re.sub(r"\[\d+\]", "[]", fault.path)
        message, used, _ = fault.message.partition(USED)
        once.setdefault((fault.code, "" if used else path, message, fault.place), fault)
    return list(once.values())


def name_of(path: Path) -> str:
    """The default name of an experiment: the file's stem, made fit for a folder."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem).lstrip(".-")
    return name[:80].rstrip(".") or "experiment"
