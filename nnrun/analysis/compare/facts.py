"""Reads the files of a run that a comparison needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from nnrun.errors import CommandError, RunError
from nnrun.runs import Run, layout
from nnrun.runs.record import (
    KFoldMetrics,
    RunRecord,
    Spread,
    Text,
    TrainMetrics,
    check_plain,
    local_time,
    validated,
)
from nnrun.spec import catalogue
from nnrun.spec import labels as meanings
from nnrun.spec.component import Component
from nnrun.spec.text import plain_value

SPLITS = {"train": "train", "validation": "val", "test": "test"}
"""The rows of a metric, as named in `metrics.json` and in a column."""


def of_test_set(name: str) -> str:
    """The rows of one of several test sets, as named in a column."""
    return f"test_{name}"


WITHOUT_EFFECT = frozenset(("name", "description", "expect", "lint"))
"""Keys of a spec that do not change the training."""

_OneName = Annotated[dict[Text, dict[Text, object] | None], Field(min_length=1, max_length=1)]
_Component = Text | _OneName


class _Training(BaseModel):
    model_config = ConfigDict(strict=True)

    metrics: list[_Component] = []
    loss: _Component = ""


class _SpecForm(BaseModel):
    """The form of a spec, as far as a comparison depends on it."""

    model_config = ConfigDict(strict=True, extra="allow")

    training: _Training = _Training()
    validation: dict[Text, dict[Text, object] | None] | None = None


@dataclass(frozen=True)
class Facts:
    """One run, as its files describe it.

    Args:
        metrics: empty if there are none.
        spec: empty if there is none.
        status: `crashed` if its process is gone.
        test_set: one of several test sets, by which the run is judged; by default all test rows.
    """

    run: Run
    record: RunRecord
    metrics: TrainMetrics | KFoldMetrics
    spec: Mapping[str, Any]
    status: str
    test_set: str = ""

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.record.name

    @property
    def has_folds(self) -> bool:
        """Whether the run is a cross-validation."""
        return self.record.kind == "kfold"

    @property
    def is_finished(self) -> bool:
        """Whether its metrics are those of a complete training."""
        return self.status == layout.FINISHED and not self.metrics.is_empty

    @property
    def started(self) -> datetime:
        """When it started; the earliest time if unknown."""
        return local_time(self.record.started) or datetime.min

    @property
    def judged(self) -> str:
        """The rows by which it is ranked."""
        if not self.metrics.test or self.has_folds:
            return "validation"
        return of_test_set(self.test_set) if self.test_set in self.metrics.tests else "test"

    def on(self, rows: str) -> Mapping[str, Spread | float | None]:
        """Its metrics on some rows."""
        metrics = self.metrics
        splits: dict[str, Mapping[str, Spread | float | None]] = {
            "train": metrics.train,
            "validation": metrics.validation,
            "test": metrics.test,
            **{of_test_set(name): values for name, values in metrics.tests.items()},
        }
        return splits.get(rows, {})

    def values(self, rows: str) -> dict[str, float | None]:
        """Its metrics on some rows; for a cross-validation the means over folds."""
        return {
            name: value.mean if isinstance(value, Spread) else value
            for name, value in self.on(rows).items()
        }

    def folds(self, metric: str) -> list[float | None]:
        """A metric of each fold, on its validation rows."""
        spread = self.metrics.validation.get(metric)
        return spread.folds if isinstance(spread, Spread) else []

    @cached_property
    def reported(self) -> dict[str, str]:
        """Its metrics, those of the spec first, each with Keras's own name for it."""
        names = {name for rows in SPLITS for name in self.on(rows)}
        if not names:
            return {}
        reported = {}
        for metric in map(_component, self.spec.get("training", {}).get("metrics", [])):
            name = next((name for name in meanings.logged_names(metric) if name in names), None)
            if name:
                reported[name] = catalogue.canonical_name("metrics", metric.name)
        return {**reported, "loss": catalogue.canonical_name("losses", self.loss)}

    @property
    def loss(self) -> str:
        """The loss as the spec names it."""
        return _component(self.spec.get("training", {}).get("loss", "")).name

    @cached_property
    def keys(self) -> dict[str, object]:
        """The keys of its spec, dotted, that have an effect on it; a list is one value."""
        unused = "validation.holdout" if self.has_folds else "validation.kfold"
        spec = {key: value for key, value in self.spec.items() if key not in WITHOUT_EFFECT}
        if not spec:
            return {}
        return {key: value for key, value in _flat(spec, "") if not key.startswith(unused)}


def read(run: Run) -> Facts:
    """Reads the small files of a run."""
    spec = run.spec()
    if isinstance(files := spec.get("code"), list):
        # Runs differ by the content of their Python files.
        digests = run.record().files
        spec["code"] = [f"{name} {digests.get(str(name), 'unknown')[:8]}" for name in files]
    try:
        check_plain(spec)
        validated(_SpecForm, spec)
    except ValueError as error:
        raise RunError(f"{run.path / layout.SPEC}: {error}") from error
    return Facts(run, run.record(), run.metrics(), spec, run.status())


def matching(wanted: str, names: Iterable[str]) -> str | None:
    """The name itself, or the only one that ends so: `training.epochs` for `epochs`."""
    all_names = list(names)
    if wanted in all_names:
        return wanted
    ending = [name for name in all_names if name.endswith(f".{wanted}")]
    return ending[0] if len(ending) == 1 else None


def holds(facts: Facts, condition: str) -> bool | None:
    """Whether `key=value` is true; None if there is no such key.

    Args:
        condition: a key of the spec, dotted or its last word, or `name`, `status` or `verb`; the
            value may contain `*` and `?`.
    """
    key, equals, pattern = condition.partition("=")
    if not equals:
        raise CommandError(f"--where {condition}: must be KEY=VALUE, such as name=iris")
    own = {"name": facts.name, "status": facts.status, "verb": facts.record.verb}
    values = {**facts.keys, **own}
    name = matching(key, values)
    return None if name is None else fnmatchcase(plain_value(values[name]), pattern)


def abridged(value: object) -> object:
    """A value of a spec with blocks replaced by their names."""
    match value:
        case {"Block": {"block": str(name)}}:
            return name
        case dict():
            return {key: abridged(item) for key, item in value.items()}
        case list():
            return [*map(abridged, value)]
    return value


def _component(written: str | dict[str, Any]) -> Component:
    if isinstance(written, dict):
        [(name, arguments)] = written.items()
        return Component(name=name, arguments=arguments or {})
    return Component(name=written, arguments={})


def _flat(value: object, path: str) -> Iterator[tuple[str, object]]:
    # The arguments of a component, whose name begins with a capital, are part of its value.
    if isinstance(value, dict) and value and not next(iter(value))[:1].isupper():
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value
