"""`validation`: which training rows are held out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

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


class Validation(Spec):
    """Which training rows are held out."""

    holdout: Holdout | None = None
    """One part of the training rows, never trained on."""
