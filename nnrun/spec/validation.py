"""`validation`: which training rows are held out for validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nnrun.spec.component import LARGEST, Count, Spec, clash
from nnrun.spec.dataset import Fraction

FOLDS = 5
Gap = Annotated[int, Field(ge=0, le=LARGEST)]


class Holdout(Spec):
    """One part of the training rows, used for validation only."""

    size: Annotated[Count | Fraction, Field(union_mode="left_to_right", examples=[0.2])]
    """Number of rows, or a fraction of them."""
    take: Literal["first", "last", "random"] = "random"
    """Which rows to hold out."""
    stratify: bool = False
    """Stratify by class; only with `take: random`."""
    gap: Gap = 0
    """Number of rows between training and validation rows that are left out; with `first` or `last`."""

    @model_validator(mode="after")
    def _stratified_at_random(self) -> Self:
        if self.stratify and self.take != "random":
            reason = f"stratify needs take: random, because the {self.take} rows are not random"
            raise clash("stratify", reason)
        if self.gap and self.take == "random":
            raise clash("gap", "gap needs take: last or first, because random rows have no order")
        return self


class Smooth(Spec):
    """An exponential moving average of the mean curve, without its first epochs."""

    factor: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Weight of the previous average; the new epoch has the rest."""
    skip: Annotated[int, Field(ge=0, le=LARGEST)] = 10
    """Epochs to skip at the beginning, where the loss has a different scale."""


class KFold(Spec):
    """Cross-validation: each fold validates a model trained on the other folds."""

    folds: Annotated[int, Field(ge=2, le=LARGEST)] | None = None
    """Number of folds; 5 unless `leave_one_out`."""
    shuffle: bool = False
    """Assign rows to folds at random, with the seed; otherwise in order."""
    stratify: bool = False
    """Stratify folds by class."""
    repeats: Annotated[int, Field(gt=0, le=1000)] = 1
    """Repeat with new random folds; requires `shuffle`."""
    groups: str | None = None
    """Column of groups; rows with the same value stay in one fold."""
    time_series: bool = False
    """Train only on rows before the fold."""
    gap: Gap = 0
    """Number of rows before each fold that are left out; requires `time_series`."""
    leave_one_out: bool = False
    """Use one fold per row."""
    smooth: Smooth | None = None
    """Choose the best epoch from a smoothed mean curve, and plot it."""
    final: bool = False
    """Afterwards train on all training rows for the best number of epochs, and test."""

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, value: object) -> object:
        """Sets the default number of folds."""
        if isinstance(value, Mapping) and value.get("leave_one_out") is not True:
            return {**value, "folds": FOLDS if value.get("folds") is None else value["folds"]}
        return value

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        others: dict[str, object] = {
            "shuffle": self.shuffle,
            "stratify": self.stratify,
            "groups": self.groups,
            "repeats": self.repeats > 1,
        }
        if self.leave_one_out:
            others = {"folds": self.folds, "time_series": self.time_series, **others}
        rule = "leave_one_out" if self.leave_one_out else "time_series"
        for key, given in others.items() if self.leave_one_out or self.time_series else ():
            if given not in (None, False):
                raise clash(key, f"{key} cannot be used with {rule}, which defines the folds")
        if self.gap and not self.time_series:
            raise clash(
                "gap", "gap needs time_series: true, which trains on the rows before a fold"
            )
        if self.repeats > 1 and not self.shuffle:
            raise clash("repeats", "repeats needs shuffle: true, otherwise all repeats are equal")
        return self


class Validation(Spec):
    """Which training rows are held out, for `nnrun train` and for `nnrun kfold`."""

    holdout: Holdout | None = None
    """One part of the training rows, used by `nnrun train`."""
    kfold: KFold | None = None
    """Cross-validation; used by `nnrun kfold`."""

    @property
    def is_ordered(self) -> bool:
        """Whether a rule depends on the order of the rows, so that the last rows must test."""
        takes = self.holdout is not None and self.holdout.take != "random"
        return takes or (self.kfold is not None and self.kfold.time_series)

    @property
    def groups(self) -> str | None:
        """The column whose equal values stay together."""
        return None if self.kfold is None else self.kfold.groups
