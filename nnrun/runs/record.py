"""Which values the record and the metrics of a run hold, so that what reads them can rely on it.

A run folder may be somebody else's, and its digests only say that it is as that person made it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from nnrun.runs import layout
from nnrun.spec.text import quote

Kind = Callable[[Any], bool]

DEEPEST = 50
MOST_VALUES = 1_000_000
_LONGEST_NUMBER = 19  # digits of a whole number
_STATUSES = frozenset((layout.RUNNING, layout.FINISHED, layout.FAILED, layout.INTERRUPTED))


def parsed(name: str, content: bytes) -> Any:
    """Reads a file of JSON.

    Args:
        name: from `layout`; of the record and the metrics every known key is looked at.

    Raises:
        ValueError: it is no JSON, holds what nnrun never writes, or a value of another kind.
        RecursionError: it is far too deep.
    """
    found = json.loads(content, parse_int=_whole, parse_float=_finite, parse_constant=_no_number)
    check_depth(found)
    wanted = _metrics_kinds(found) if name == layout.METRICS else _BY_NAME.get(name, {})
    if isinstance(found, dict):
        for key, value in found.items():
            if key in wanted and not wanted[key](value):
                raise ValueError(f"{key} cannot be {quote(value)}")
    return found


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError("a number has too many digits")
    return int(digits)


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _no_number(text: str) -> float:
    raise ValueError(f"{quote(text)} is no number")


def check_depth(value: Any) -> None:
    """Looks at all values, once for each place in which they stand.

    Raises:
        ValueError: they are too many, or too deep inside each other.
    """
    waiting, seen = [(value, 0)], 0
    while waiting:
        found, depth = waiting.pop()
        seen += 1
        if depth > DEEPEST or seen > MOST_VALUES:
            raise ValueError("it holds too many values, or too deep inside each other")
        if isinstance(found, dict):
            waiting += [(item, depth + 1) for item in found.values()]
        elif isinstance(found, list):
            waiting += [(item, depth + 1) for item in found]


def is_number(value: Any) -> bool:
    """Whether it is one; a truth is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Whether it counts something."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_text(value: Any) -> bool:
    """Whether it is text."""
    return isinstance(value, str)


def is_word(value: Any) -> bool:
    """Whether it is text on one line, as a name is."""
    return isinstance(value, str) and len(value) <= 1000 and "\n" not in value and value != ""


def nothing_or(kind: Kind) -> Kind:
    """Or null."""
    return lambda value: value is None or kind(value)


def each(kind: Kind) -> Kind:
    """A list."""
    return lambda value: isinstance(value, list) and all(map(kind, value))


def by_name(kind: Kind) -> Kind:
    """A mapping, whatever its keys."""
    return lambda value: isinstance(value, dict) and all(map(kind, value.values()))


def having(**kinds: Kind) -> Kind:
    """A mapping that has these keys, and maybe others."""
    return lambda value: (
        isinstance(value, dict)
        and kinds.keys() <= value.keys()
        and all(kind(value[key]) for key, kind in kinds.items())
    )


def _is_process(value: Any) -> bool:
    return having(pid=is_count, host=is_text)(value) and value["pid"] < 2**31


_maybe_number, _maybe_word, _maybe_count = map(nothing_or, (is_number, is_word, is_count))

_FOLD = having(number=is_count, train=is_count, validation=is_count)
_GATE = having(
    name=is_word, expected=is_word, got=_maybe_number, passed=lambda value: isinstance(value, bool)
)
_RECORD: Mapping[str, Kind] = {
    "name": is_word,
    "status": lambda value: isinstance(value, str) and value in _STATUSES,
    "started": nothing_or(is_word),
    "ended": nothing_or(is_word),
    "error": nothing_or(is_text),
    "process": _is_process,
    "files": by_name(is_text),
    "verb": is_word,
    "fold": is_count,
    "folds": each(_FOLD),
    "seed": _maybe_count,
    "overrides": each(is_text),
    "engine": _maybe_word,
    "device": _maybe_word,
    "data_digest": _maybe_word,
    "split_digest": _maybe_word,
    "rows": by_name(is_count),
    "notices": each(is_text),
    "parameters": is_count,
    "versions": by_name(is_word),
    "commit": _maybe_word,
    "expect": nothing_or(each(_GATE)),
}
_BY_NAME = {layout.RUN: _RECORD}

_SPREAD = having(mean=_maybe_number, std=_maybe_number, low=_maybe_number, high=_maybe_number)
_SPREAD_OF_FOLDS = having(folds=each(_maybe_number))
_NUMBERS = by_name(_maybe_number)
_METRICS: Mapping[str, Kind] = {
    "epochs": is_count,
    "fold_epochs": each(_maybe_count),
    "monitor": is_word,
    "best_epoch": _maybe_count,
    "best_epoch_by": is_word,
    "last": _NUMBERS,
    "best": _NUMBERS,
    "test": _NUMBERS,
    "parameters": is_count,
    "seconds": by_name(is_number),
    "final": having(epochs=is_count),
}
_OF_TRAIN = {**_METRICS, **dict.fromkeys(("initial", "train", "validation"), _NUMBERS)}
_SPREADS = by_name(lambda value: _SPREAD(value) and _SPREAD_OF_FOLDS(value))
_OF_FOLDS = {**_METRICS, **dict.fromkeys(("initial", "train", "validation"), _SPREADS)}


def _metrics_kinds(metrics: Any) -> Mapping[str, Kind]:
    """Those of a cross-validation, whose metrics are spreads over folds, or of a training."""
    found = metrics.get("validation") if isinstance(metrics, dict) else None
    spreads = isinstance(found, dict) and any(isinstance(each, dict) for each in found.values())
    return _OF_FOLDS if spreads else _OF_TRAIN
