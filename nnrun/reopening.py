"""Opens a run folder again, so that the run goes on instead of beginning anew. Needs no Keras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nnrun import layout
from nnrun.runs import Run, process


def differences(known: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Why a run that is gone on with would not come to the same bytes.

    Args:
        known: its record.
        now: what a run that begins now would have in its record.
    """
    if known.get("spec_digest") != now["spec_digest"]:
        yield "the spec is another than when it began"
    if known.get("data_digest") != now["data_digest"]:
        yield "the data are others than when it began"
    if known.get("split_digest") != now["split_digest"]:
        yield "other rows train or validate than when it began"
    before, after = known.get("versions") or {}, now["versions"]
    for package in sorted({*before, *after}):
        if before.get(package) != after.get(package):
            yield f"{package} was {before.get(package)}, now {after.get(package)}"
    for key in ("engine", "device"):
        if known.get(key) != now[key]:
            yield f"the {key} was {known.get(key)}, now {now[key]}"


def is_same(known: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a run can go on as another would begin: it has no more epochs, and nothing differs."""
    return known.get("epochs", 0) <= now["epochs"] and not any(differences(known, now))


def reopen(run: Run, now: Mapping[str, Any]) -> None:
    """Makes a run that has ended, or was killed, one that is at work.

    Args:
        run: locked by this process.
        now: its record from now on.

    Raises:
        RunError: its record is damaged, or cannot be written.
    """
    run.sweep()
    known = run.record()
    changes = {"status": layout.RUNNING, "ended": None, "error": None, "process": process()}
    # The epochs of a run stay its own; the averages of a cross-validation are made anew.
    still = [] if "folds" in known else [layout.JOURNAL]
    run.reopen(**now, **changes, resumed=known.get("resumed", 0) + 1, still=still)
