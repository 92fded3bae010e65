"""The keys of a spec and their sections."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import GenericAlias
from typing import get_args

from pydantic import BaseModel

from nnrun.spec.component import Component
from nnrun.spec.dataset import OwnData
from nnrun.spec.experiment import Experiment
from nnrun.spec.prepare import OwnStep, Step
from nnrun.spec.tree import KeyPath

FILES = {"csv": "csv", "tsv": "csv", "txt": "text", "parquet": "parquet", "npz": "npz"}
"""The dataset for user data, by file ending."""

UNREADABLE = frozenset("json jsonl xls xlsx npy h5 hdf5 tfrecord zip".split())
"""Endings of common files that no dataset reads."""

EARLIER = ("extends", "blocks")  # keys that are replaced before a spec is validated


def key_names(loc: tuple[str | int, ...]) -> list[str]:
    """The keys allowed at a pydantic location; those of all datasets if it names none."""
    candidates: list[type[BaseModel]] = [Experiment]
    for part in loc:
        holding = [model for model in candidates if part in model.model_fields]
        tagged = [model for model in candidates if _tag(model) == part]
        if tagged:
            candidates = tagged
        elif holding:
            candidates = list(models(holding[0].model_fields[str(part)].annotation))
    names = dict.fromkeys(key for model in candidates for key in model.model_fields)
    names.pop("step", None)
    return [*names, *EARLIER] if candidates == [Experiment] else list(names)


def homes(key: str) -> tuple[KeyPath, ...]:
    """The sections with a key; the top level is the empty path.

    Example:
        >>> homes("batch_size"), homes("seed")
        ((('training',),), ((), ('dataset',)))
    """
    found = [section for section, names in sections().items() if key in names]
    # `batch_size` belongs under training, although a stage may have its own.
    return tuple(
        section
        for section in found
        if not any(section != above and section[: len(above)] == above for above in found if above)
    )


def models(annotation: object) -> Iterator[type[BaseModel]]:
    """The pydantic models in a type."""
    if isinstance(annotation, type) and not isinstance(annotation, GenericAlias):
        if issubclass(annotation, BaseModel) and annotation not in (OwnData, OwnStep):
            yield annotation
    else:
        for inner in get_args(annotation):
            yield from models(inner)


def _tag(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("step") or model.model_fields.get("name")
    choices = get_args(field.annotation) if field else ()
    return choices[0] if choices and isinstance(choices[0], str) else None


@cache
def sections() -> dict[KeyPath, frozenset[str]]:
    """Every section of a spec with its keys; `dataset` has those of all datasets."""
    keys: dict[KeyPath, frozenset[str]] = {(): frozenset(EARLIER)}
    for section, model in walk_models(Experiment):
        keys[section] = keys.get(section, frozenset()) | model.model_fields.keys()
    return keys


def walk_models(
    model: type[BaseModel], section: KeyPath = ()
) -> Iterator[tuple[KeyPath, type[BaseModel]]]:
    """Every section of a spec, without prepare steps and Keras components."""
    yield section, model
    for key, field in model.model_fields.items():
        for inner in models(field.annotation):
            if not issubclass(inner, Step | Component):
                yield from walk_models(inner, (*section, key))
