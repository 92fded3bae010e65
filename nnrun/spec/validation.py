"""`validation`: which training rows are held out."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from nnrun.spec.base import Spec
from nnrun.spec.dataset import Fraction


class Holdout(Spec):
    """One part of the training rows, never trained on."""

    size: Annotated[PositiveInt | Fraction, Field(union_mode="left_to_right")]
    """Rows, or a fraction of them."""
    take: Literal["first", "last", "random"] = "random"
    """Which rows."""
    stratify: bool = False
    """Keep the proportions of the classes; with `take: random` only."""

    @model_validator(mode="after")
    def _stratified_at_random(self) -> Self:
        if self.stratify and self.take != "random":
            raise PydanticCustomError(
                "stratify",
                "stratify needs take: random, because {take} rows are not drawn",
                {"take": self.take},
            )
        return self


class Validation(Spec):
    """Which training rows are held out."""

    holdout: Holdout | None = None
    """One part of the training rows, never trained on."""
