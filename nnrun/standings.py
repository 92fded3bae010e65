"""The place of each run among those of its name, by which `clean` keeps the best."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nnrun import compare
from nnrun.cleaning import Standing


def standings(facts: Iterable[compare.Facts]) -> dict[Path, Standing]:
    """Ranks the runs of each experiment's name, and its cross-validations among themselves."""
    groups: dict[tuple[str, bool], list[compare.Facts]] = {}
    for run in facts:
        groups.setdefault((run.name, run.has_folds), []).append(run)
    found = {}
    for members in groups.values():
        metric, ranked = compare.ranking(members)
        places = {run.run.path: place for place, run in enumerate(ranked, start=1)}
        for run in members:
            path = run.run.path
            found[path] = Standing(places.get(path), len(ranked), metric)
    return found
