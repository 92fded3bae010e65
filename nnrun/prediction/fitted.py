"""Reads back how a run prepares rows. The folder may be somebody else's, so nothing is believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nnrun import columns, layout
from nnrun.appearance import Appearance
from nnrun.errors import CommandError, Misfit, RunError
from nnrun.prepare import FittedStep, Preparation, is_small
from nnrun.records import Array, Inputs, Tokenizer, Vocabulary
from nnrun.runs import Run
from nnrun.spec.profile import check_steps, dtype_after
from nnrun.spec.steps import Impute, Index, MultiHot, Prepare, Standardize, Vectorize

# Numbers in a row; of pictures this is 5,000 x 5,000 in colour.
_LARGEST_ROW = 75_000_000

# Of a pixel, whatever its type.
_BRIGHTEST = 1e30
_DIMENSIONS = {"texts": (0,), "table": (1,), "images": (2, 3)}

_Words = Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], Field(max_length=10_000)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _Step(_File):
    step: Prepare
    state: dict[str, Any]


class _Preparation(_File):
    classes: _Words
    rows: Appearance
    steps: tuple[_Step, ...]


class _Vocabulary(_File):
    words: dict[str, Index]
    start: Index | None
    unknown: Index | None
    tokenizer: Tokenizer = "tokenizer"


@dataclass(frozen=True)
class Fitted:
    """How a run prepares rows.

    Args:
        classes: one name per class; empty for a regression.
        looks: what rows look like before.
        steps: with what they have learnt.
    """

    classes: tuple[str, ...]
    looks: Appearance
    steps: tuple[FittedStep, ...]

    def preparation(self, x: Inputs) -> Preparation:
        """Prepares rows, all at once where they are few."""
        dtype = dtype_after([each.step for each in self.steps])
        shape = self.steps[-1].shape if self.steps else self.looks.shape
        small = is_small(x, shape, indices=dtype == "int32")
        return Preparation(self.steps, shape, dtype, small)


def read(run: Run) -> Fitted:
    """What `prepare.json` says.

    Raises:
        RunError: it is damaged, of an older nnrun, or says what no run says.
    """
    path, content = run.path / layout.PREPARATION, run.read_json(layout.PREPARATION)
    if isinstance(content, dict) and "rows" not in content:
        raise RunError(f"{path}: an older nnrun did not write down what rows are; train it again")
    try:
        found = _Preparation.model_validate(content)
        steps = tuple(_fitted(found))
    except (ValidationError, Misfit, ValueError, TypeError, OverflowError) as error:
        raise RunError(f"{path}: {_reason(error)}") from error
    return Fitted(found.classes, found.rows, steps)


def _reason(error: Exception) -> str:
    if isinstance(error, Misfit):
        return error.message
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        return f"{place} is not what a run writes"
    return f"holds {error}"


def _fitted(found: _Preparation) -> list[FittedStep]:
    """The steps, with shapes of our own counting."""
    steps, shape = [], found.rows.shape
    _check(found.rows)
    check_steps([each.step for each in found.steps], texts=found.rows.kind == "texts")
    for each in found.steps:
        shape = each.step.shape_after(shape)
        state = _learnt(each, shape)
        steps.append(FittedStep(each.step, shape, state))
    if min((*shape, 1)) < 1 or math.prod(shape) > _LARGEST_ROW:
        raise ValueError(f"rows of shape {shape}")
    return steps


def _check(looks: Appearance) -> None:
    """Refuses what no rows look like.

    Raises:
        ValueError: with what is wrong.
    """
    if len(looks.shape) not in _DIMENSIONS[looks.kind]:
        raise ValueError(f"{looks.kind} of shape {looks.shape}")
    if looks.features and looks.shape != (len(looks.features),):
        raise ValueError(f"{len(looks.features)} names for rows of shape {looks.shape}")
    if looks.columns and columns.names(looks.columns) != looks.features:
        raise ValueError("columns that do not make its features")
    for name, value in (("highest", looks.highest), ("edge", looks.edge)):
        if (value is None) == (looks.kind == "images") or abs(value or 0) > _BRIGHTEST:
            raise ValueError(f"{looks.kind} with {name} {value}")


def _learnt(step: _Step, shape: tuple[int, ...]) -> dict[str, Array]:
    """What a step has learnt of each column; most have learnt nothing."""
    if isinstance(step.step, Impute):
        fill = np.asarray(step.state.get("fill"), np.float64)
        if fill.shape != shape or not np.isfinite(fill).all():
            raise ValueError(f"no filling for each column of rows of shape {shape}")
        return {"fill": fill}
    if isinstance(step.step, Vectorize):
        index = np.asarray(step.state.get("index"))
        if index.ndim != 1 or index.dtype.kind != "i" or not len(index):
            raise ValueError("no index of each word")
        if index.min() < 0 or index.max() >= step.step.max_tokens:
            raise ValueError(f"an index that is none of {step.step.max_tokens}")
        return {"index": index}
    if not isinstance(step.step, Standardize):
        return {}
    learnt = {name: np.asarray(step.state.get(name), np.float64) for name in ("mean", "std")}
    if any(each.shape != shape for each in learnt.values()):
        raise ValueError(f"no mean and std for each column of rows of shape {shape}")
    if not all(np.isfinite(each).all() for each in learnt.values()) or not learnt["std"].all():
        raise ValueError("a mean or a std that is no number, or 0")
    return learnt


def vocabulary(run: Run, fitted: Fitted) -> Vocabulary:
    """What `words.json` says.

    Raises:
        CommandError: the run has none.
        RunError: it is damaged, or holds indices that the model cannot take.
    """
    if not run.holds(layout.WORDS):
        raise CommandError(f"{run.path} has no {layout.WORDS}, so no text can be encoded for it")
    path = run.path / layout.WORDS
    try:
        found = _Vocabulary.model_validate(run.read_json(layout.WORDS))
    except ValidationError as error:
        raise RunError(f"{path}: {_reason(error)}") from error
    marks = [mark for mark in (found.start, found.unknown) if mark is not None]
    first = fitted.steps[0].step
    highest = max((*found.words.values(), *marks), default=0)
    if isinstance(first, MultiHot) and highest >= first.dimension:
        raise RunError(f"{path}: index {highest} has no column among {first.dimension}")
    return Vocabulary(found.words, found.start, found.unknown, found.tokenizer)
