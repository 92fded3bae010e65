"""Which keys the spec language has, and in which section each one stands."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from nnrun.spec.component import Component
from nnrun.spec.dataset import DatasetBase
from nnrun.spec.experiment import Experiment
from nnrun.spec.prepare import Step
from nnrun.spec.tree import KeyPath, dotted

FILES = {"csv": "csv", "tsv": "csv", "txt": "text", "parquet": "parquet", "npz": "npz"}
"""By the ending of a file of a person's own, the data set that reads it."""


UNREADABLE = frozenset("json jsonl xls xlsx npy h5 hdf5 tfrecord zip".split())
"""Endings of files that people hope to be read, and that nothing here reads."""


EARLIER = ("extends", "blocks")
"""Keys that are settled before the models see a spec."""


def key_names(loc: tuple[str | int, ...]) -> list[str]:
    """The keys allowed at a pydantic location; of all data sets where it names none."""
    found: list[type[BaseModel]] = [Experiment]
    for part in loc:
        holding = [model for model in found if part in model.model_fields]
        tagged = [model for model in found if _tag(model) == part]
        if tagged:
            found = tagged
        elif holding:
            found = list(models(holding[0].model_fields[str(part)].annotation))
    names = dict.fromkeys(key for model in found for key in model.model_fields if key != "step")
    return [*names, *EARLIER] if found == [Experiment] else list(names)


def homes(key: str) -> tuple[KeyPath, ...]:
    """The sections in which a key can stand; the top level is the empty path.

    Example:
        >>> homes("epochs"), homes("seed")
        ((('training',),), ((), ('dataset',)))
    """
    return tuple(section for section, names in sections().items() if key in names)


def where(section: KeyPath) -> str:
    """A section in a sentence.

    Example:
        >>> where(("validation", "kfold")), where(())
        ('under validation.kfold', 'at the top level')
    """
    return f"under {dotted(section)}" if section else "at the top level"


def data_sets() -> dict[str, type[DatasetBase]]:
    """Every data set by its name."""
    annotation = Experiment.model_fields["dataset"].annotation
    found = (model for model in models(annotation) if issubclass(model, DatasetBase))
    return {_tag(model) or "": model for model in found}


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
    else:
        for inner in get_args(annotation):
            yield from models(inner)


def _tag(model: type[BaseModel]) -> str | None:
    """What selects a data set or a step among its kind."""
    field = model.model_fields.get("step") or model.model_fields.get("name")
    choices = get_args(field.annotation) if field else ()
    return choices[0] if choices and isinstance(choices[0], str) else None


@cache
def sections() -> dict[KeyPath, frozenset[str]]:
    """Every part of a spec with its keys; `dataset` with those of all data sets."""
    found: dict[KeyPath, frozenset[str]] = {(): frozenset(EARLIER)}
    for section, model in _walk_models(Experiment, ()):
        found[section] = found.get(section, frozenset()) | frozenset(model.model_fields)
    return found


def _walk_models(
    model: type[BaseModel], section: KeyPath
) -> Iterator[tuple[KeyPath, type[BaseModel]]]:
    """Every part of a spec; neither steps nor Keras's names are parts."""
    yield section, model
    for key, field in model.model_fields.items():
        for inner in models(field.annotation):
            if not issubclass(inner, Step | Component):
                yield from _walk_models(inner, (*section, key))
