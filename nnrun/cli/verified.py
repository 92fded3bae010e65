"""What `nnrun verify` says of a run and its repetition."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nnrun import layout
from nnrun.cli import console
from nnrun.verification import comparing, judging
from nnrun.verification.causes import Cause
from nnrun.verification.comparing import DIFFERENT, IDENTICAL, WITHIN, Comparison
from nnrun.verification.judging import Judged
from nnrun.verification.subject import Subject

_COLORS = {IDENTICAL: "green", WITHIN: "yellow", DIFFERENT: "red"}
_REPORT = (
    "nothing that is recorded explains it, so it is a bug of nnrun; please report it with the "
    "`run.json` of the run and the answer of `nnrun verify --json`"
)


@dataclass(frozen=True)
class Verified:
    """A run beside its repetition, and what speaks for a reason where they differ.

    Args:
        repeated: the folder of the repetition, where it is kept.
        again: the verdict on a second repetition beside the first; only where nothing explained
            the first.
    """

    subject: Subject
    judged: Judged
    causes: Sequence[Cause]
    repeated: Path | None = None
    again: str | None = None


def show(verified: Verified, out: Console) -> None:
    """Prints the table, the verdict, and what may have caused it."""
    out.print(_table(verified))
    for sentence in sentences(verified):
        out.print(sentence, markup=False)


def _table(verified: Verified) -> Table:
    judged = verified.judged
    table = Table(title=escape(verified.subject.run.record()["name"]), title_justify="left")
    for column in ("compared", "extent", "differing", "by up to", ""):
        numeric = column in ("differing", "by up to")
        table.add_column(column, justify="right" if numeric else "left")
    for what in dict.fromkeys(each.what for each in judged.comparisons):
        found = judged.of(what)
        worst = max(found, key=lambda each: (each.error is not None, each.largest, each.differing))
        verdict = worst.verdict(judged.tolerance)
        differing = _differing(found)
        by = _largest(found) if differing else "-"
        word = f"[{_COLORS[verdict]}]{verdict}[/]"
        table.add_row(what, _extent(found), f"{differing:,}", by, word)
    return table


def _extent(found: Sequence[Comparison]) -> str:
    """Of the file that says it first in each part; equal ones are counted."""
    first = {each.part: each.extent for each in reversed(found)}
    counted = Counter(reversed(first.values()))
    return " + ".join(
        extent if count == 1 else f"{count} × ({extent})" for extent, count in counted.items()
    )


def _differing(found: Sequence[Comparison]) -> int:
    """How many values differ: two files of one kind say much the same, parts do not."""
    counts: dict[str, int] = {}
    for each in found:
        counts[each.part] = max(counts.get(each.part, 0), each.differing)
    return sum(counts.values())


def _largest(found: Sequence[Comparison]) -> str:
    """The largest difference that can be measured, if any."""
    measured = [each.largest for each in found if each.differing and math.isfinite(each.largest)]
    return f"{max(measured):.1e}" if measured else "-"


def sentences(verified: Verified) -> Iterator[str]:
    """What can be said in words: the verdict, where the first differences are, and why."""
    judged, status = verified.judged, verified.subject.status
    if status != layout.FINISHED:
        epochs = verified.subject.epochs
        yield f"{status} after epoch {epochs}: only epochs and parts that ended are compared"
    yield _verdict(judged)
    for each in judged.comparisons:
        if each.error:
            yield f"  {each.error}"
        elif each.first and each.verdict(judged.tolerance) == DIFFERENT:
            yield f"  {_place(each)}"
    if judged.verdict != IDENTICAL:
        yield from _reasons(verified)
    if verified.repeated:
        yield f"the repetition is in {console.short(verified.repeated)}"


def _verdict(judged: Judged) -> str:
    worst = max((each.largest for each in judged.comparisons), default=0.0)
    names = list(
        dict.fromkeys(
            each.what
            for each in judged.comparisons
            if each.verdict(judged.tolerance) == judged.verdict
        )
    )
    if judged.verdict == IDENTICAL:
        return "identical to the bit"
    if judged.verdict == WITHIN:
        by = f"{', '.join(names)} differ by up to {worst:.1e}"
        return f"within {judged.tolerance:g}, not to the bit: {by}"
    if not names:
        return "identical to the bit where it was compared, but the folder is not as it was written"
    return f"different: {', '.join(names)}"


def _place(each: Comparison) -> str:
    """Where a file differs first: `history.csv: loss of epoch 1: 0.61 → 0.62`."""
    assert each.first
    first, name = each.first, each.first.name
    if first.index:
        is_epoch = each.what == judging.HISTORY
        at = ", ".join(map(str, first.index))
        name = f"{name} of epoch {first.index[0] + 1}" if is_epoch else f"{name}[{at}]"
    file = f"{each.part}/{each.file}" if each.part else each.file
    return f"{file}: {name}: {_shown(first.kept)} → {_shown(first.repeated)}"


def _shown(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return "missing" if value is None else str(value)


def _reasons(verified: Verified) -> Iterator[str]:
    for cause in verified.causes:
        if cause.kind != "unknown":
            yield f"likely cause: {cause.text}"
            continue
        yield f"no cause found: {cause.text}"
        if verified.again == IDENTICAL:
            yield (
                "a second repetition is identical to the first, so the experiment does repeat here; "
                "the run was made where something not recorded was different, or was sealed anew"
            )
        else:
            yield f"a second repetition differs from the first too; {_REPORT}"


def as_json(verified: Verified) -> dict[str, Any]:
    """The same for programs."""
    judged, subject = verified.judged, verified.subject
    kept = {"repetition": str(verified.repeated)} if verified.repeated else {}
    again = {"second_repetition": verified.again} if verified.again else {}
    return {
        "path": str(subject.run.path),
        "name": subject.run.record()["name"],
        "status": subject.status,
        "verdict": judged.verdict,
        "tolerance": judged.tolerance,
        "comparisons": [_comparison(each, judged.tolerance) for each in judged.comparisons],
        "damaged": [{"file": each.file, "reason": each.reason} for each in judged.damaged],
        "causes": [asdict(cause) for cause in verified.causes],
        **again,
        **kept,
    }


def _comparison(each: comparing.Comparison, tolerance: float) -> dict[str, Any]:
    found = asdict(each) | {"verdict": each.verdict(tolerance)}
    # JSON knows no infinity; where there is no number, there is nothing to measure.
    found["largest"] = each.largest if math.isfinite(each.largest) else None
    if each.first:
        found["first"] = {
            key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(each.first).items()
        }
    return found
