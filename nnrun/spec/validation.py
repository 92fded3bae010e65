"""`validation`: which training rows are held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from nnrun.spec.component import Spec
from nnrun.spec.dataset import Fraction

FOLDS = 5


def _clash(key: str, reason: str) -> PydanticCustomError:
    """Two keys that cannot stand together; `key` is the one to look at."""
    return PydanticCustomError("clash", "{reason}", {"key": key, "reason": reason})


class Holdout(Spec):
    """One part of the training rows, never trained on."""

    size: Annotated[PositiveInt | Fraction, Field(union_mode="left_to_right", examples=[0.2])]
    """Rows, or a fraction of them."""
    take: Literal["first", "last", "random"] = "random"
    """Which rows."""
    stratify: bool = False
    """Keep the proportions of the classes; with `take: random` only."""

    @model_validator(mode="after")
    def _stratified_at_random(self) -> Self:
        if self.stratify and self.take != "random":
            reason = f"stratify needs take: random, because {self.take} rows are not drawn"
            raise _clash("stratify", reason)
        return self


class Smooth(Spec):
    """An exponential moving average of the mean curve, its first epochs left out."""

    factor: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Weight of the curve so far; the new epoch has the rest."""
    skip: NonNegativeInt = 10
    """Epochs left out at the beginning, where the loss is still of another size."""


class KFold(Spec):
    """Parts of the training rows; each validates a model that was trained on the others."""

    folds: Annotated[int, Field(ge=2)] | None = None
    """How many parts; 5 unless `leave_one_out`."""
    shuffle: bool = False
    """Draw the rows of each part from the seed; else they are blocks in the order of the rows."""
    stratify: bool = False
    """Keep the proportions of the classes in each part."""
    repeats: PositiveInt = 1
    """Divide the rows anew so many times; needs `shuffle`."""
    groups: str | None = None
    """A column; rows with the same value in it stay together."""
    time_series: bool = False
    """Train on the rows before a part only, never on later ones."""
    leave_one_out: bool = False
    """Each row is a part of its own."""
    smooth: Smooth | None = None
    """Choose the best epoch by a smoothed mean curve, and draw it."""
    final: bool = False
    """Then train on all training rows for the best number of epochs, and test once."""

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        """Writes the usual number of parts out, where there is one."""
        if isinstance(value, Mapping) and value.get("leave_one_out") is not True:
            return {**value, "folds": FOLDS if value.get("folds") is None else value["folds"]}
        return value

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        drawn = {
            "shuffle": self.shuffle,
            "stratify": self.stratify,
            "groups": self.groups is not None,
            "repeats": self.repeats > 1,
        }
        if self.leave_one_out:
            _alone("leave_one_out", {"folds": self.folds, "time_series": self.time_series, **drawn})
        if self.time_series:
            _alone("time_series", drawn)
        if self.repeats > 1 and not self.shuffle:
            reason = "repeats needs shuffle: true, or the parts are the same each time"
            raise _clash("repeats", reason)
        return self


def _alone(rule: str, others: Mapping[str, Any]) -> None:
    for key, given in others.items():
        if given:
            raise _clash(key, f"{key} has no meaning with {rule}, which decides every part")


class Validation(Spec):
    """Which training rows are held out: for `nnrun train`, and for `nnrun kfold`."""

    holdout: Holdout | None = None
    """One part of the training rows, never trained on; used by `nnrun train`."""
    kfold: KFold | None = None
    """Cross-validation; used by `nnrun kfold`."""
