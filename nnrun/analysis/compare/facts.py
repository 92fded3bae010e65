"""What is read of each run before it is compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from nnrun.errors import CommandError, RunError
from nnrun.runs import Run, layout
from nnrun.runs.record import KFoldMetrics, RunRecord, Spread, TrainMetrics, check_depth
from nnrun.spec import catalogue
from nnrun.spec import labels as meanings
from nnrun.spec.component import Component
from nnrun.spec.text import quote

SPLITS = {"train": "train", "validation": "val", "test": "test"}
"""The rows that a metric is of, as `metrics.json` and as a column calls them."""


TOLD = frozenset(("name", "description", "expect", "lint"))
"""Keys of a spec that change nothing about the training."""


@dataclass(frozen=True)
class Facts:
    """One run as its files tell it.

    Args:
        record: `run.json`.
        metrics: `metrics.json`; empty where there is none.
        spec: `spec.yaml`; empty where there is none.
        status: with `crashed` for one whose process is gone.
    """

    run: Run
    record: RunRecord
    metrics: TrainMetrics | KFoldMetrics
    spec: Mapping[str, Any]
    status: str

    @property
    def name(self) -> str:
        """As the spec has it."""
        return self.record.name

    @property
    def has_folds(self) -> bool:
        """Whether it is a cross-validation."""
        return self.record.kind == "kfold"

    @property
    def judged(self) -> str:
        """The rows that say how good it is."""
        return "test" if self.metrics.test and not self.has_folds else "validation"

    def on(self, rows: str) -> Mapping[str, Spread | float | None]:
        """Its metrics on some rows."""
        metrics = self.metrics
        return {"train": metrics.train, "validation": metrics.validation, "test": metrics.test}[
            rows
        ]

    def values(self, rows: str) -> dict[str, float | None]:
        """Its metrics on some rows; for a cross-validation the means over folds."""
        return {
            name: value.mean if isinstance(value, Spread) else value
            for name, value in self.on(rows).items()
        }

    def folds(self, metric: str) -> list[float | None]:
        """A metric of each fold, on the rows that validate it."""
        found = self.metrics.validation.get(metric)
        return found.folds if isinstance(found, Spread) else []

    @cached_property
    def reported(self) -> dict[str, str]:
        """The metrics that it reports, the spec's first, each with Keras's own name for it."""
        training = self.spec.get("training", {})
        known = {name for rows in SPLITS for name in self.on(rows)}
        found = {}
        for metric in map(_component, training.get("metrics", [])):
            name = next((name for name in meanings.logged_names(metric) if name in known), None)
            if name:
                found[name] = catalogue.canonical_name("metrics", metric.name)
        return {**found, "loss": catalogue.canonical_name("losses", self.loss)} if known else found

    @property
    def loss(self) -> str:
        """The loss as the spec names it."""
        return _component(self.spec.get("training", {}).get("loss", "")).name

    @cached_property
    def keys(self) -> dict[str, Any]:
        """Its spec as dotted keys; a list is one value. Without its name and what it did not use."""
        own = {key: value for key, value in self.spec.items() if key not in TOLD}
        if not own:
            return {}
        unused = "validation.holdout" if self.has_folds else "validation.kfold"
        return {key: value for key, value in _flat(own, "") if not key.startswith(unused)}

    @property
    def seconds(self) -> float | None:
        """How long it took in all."""
        found = self.metrics.seconds.get("total")
        return None if found is None else float(found)


def read(run: Run) -> Facts:
    """Reads the small files of a run.

    Raises:
        NotARun: the folder holds no run.
        RunError: one of them is broken.
    """
    spec = run.spec()
    try:
        _check_spec(spec)
    except ValueError as error:
        raise RunError(f"{run.path / layout.SPEC}: {error}") from error
    return Facts(run, run.record(), run.metrics(), spec, run.status())


def _check_spec(spec: Mapping[str, Any]) -> None:
    """Refuses what no spec looks like; whether it can be run is not asked.

    Raises:
        ValueError: it holds what a spec cannot, or too much of it.
    """
    check_depth(spec)
    parts = {
        "training": _has_training,
        "validation": _has_rules,
        "dataset": _is_mapping,
        "model": _are_components,
    }
    for key, is_right in parts.items():
        if key in spec and not is_right(spec[key]):
            raise ValueError(f"{key} cannot be {quote(spec[key])}")
    if not _is_plain(spec):
        raise ValueError("holds what no spec can")


def _has_training(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _are_components(value.get("metrics", []))
        and _is_component(value.get("loss", ""))
    )


def _has_rules(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict) and all(isinstance(rule, dict | None) for rule in value.values())
    )


def _are_components(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_component, value))


def _is_component(value: Any) -> bool:
    match value:
        case str():
            return True
        case dict() if len(value) == 1:
            return all(isinstance(each, dict | None) for each in value.values())
    return False


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_plain(value: Any) -> bool:
    """Whether it is all words and numbers, as the checker of a spec reads YAML."""
    match value:
        case dict():
            return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
        case list():
            return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)


def started(facts: Facts) -> datetime:
    """When it began; runs without a time come first."""
    try:
        return datetime.fromisoformat(str(facts.record.started)).replace(tzinfo=None)
    except ValueError:
        return datetime.min


def matching(wanted: str, names: Iterable[str]) -> str | None:
    """The name that is meant: itself, or the only one that ends so, `epochs` of `training.epochs`."""
    known = list(names)
    if wanted in known:
        return wanted
    ending = [name for name in known if name.endswith(f".{wanted}")]
    return ending[0] if len(ending) == 1 else None


def holds(facts: Facts, condition: str) -> bool | None:
    """Whether `key=value` is so, None where there is no such key; `*` and `?` stand for any.

    Args:
        condition: a key of the spec, with dots or its last word, or `name`, `status` or `verb`.

    Raises:
        CommandError: there is no `=` in it.
    """
    from fnmatch import fnmatchcase  # noqa: PLC0415 - one caller in a thousand filters

    key, equals, pattern = condition.partition("=")
    if not equals:
        raise CommandError(f"--where {condition}: must be KEY=VALUE, such as name=iris")
    own = {"name": facts.name, "status": facts.status, "verb": facts.record.verb}
    found = {**facts.keys, **own}
    name = matching(key, found)
    return None if name is None else fnmatchcase(plain(found[name]), pattern)


def plain(value: Any) -> str:
    """A value of a spec in few words: `Dense 16 relu, Dense 1 sigmoid`."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.6g}"
        case dict():
            return " ".join(
                f"{key} {plain(item)}".strip() if _is_name(key) else _argument(key, item)
                for key, item in value.items()
            )
        case list() | tuple():
            return ", ".join(map(plain, value)) or "none"
    return str(value)


def abridged(value: Any) -> Any:
    """A value of a spec with blocks by their names, whatever is in them."""
    match value:
        case {"Block": {"block": str(name)}}:
            return name
        case dict():
            return {key: abridged(item) for key, item in value.items()}
        case list():
            return [*map(abridged, value)]
    return value


def _is_name(key: str) -> bool:
    return key[:1].isupper()


def _argument(key: str, value: Any) -> str:
    # A number needs no name where it comes first in everybody's mind.
    return plain(value) if key in ("units", "activation", "rate") else f"{key} {plain(value)}"


def _component(written: Any) -> Component:
    if isinstance(written, dict):
        [(name, arguments)] = written.items()
        return Component(name=name, arguments=arguments or {})
    return Component(name=str(written), arguments={})


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value and not _is_name(next(iter(value))):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def digest_of_split(facts: Facts) -> str | None:
    """Which rows train and which validate, over all folds."""
    return facts.record.split_digest


def finished(facts: Facts) -> bool:
    """Whether its metrics are those of a whole training."""
    return facts.status == layout.FINISHED and not facts.metrics.is_empty
