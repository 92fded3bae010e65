"""What every data set takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nnrun.spec.base import Spec
from nnrun.spec.steps import Prepare

Fraction = Annotated[float, Field(gt=0, lt=1)]
# What every random generator in use takes.
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class DatasetBase(Spec):
    """What every data set takes."""

    name: str
    prepare: tuple[Prepare, ...] = Field((), strict=False)
    """Steps in order, fitted on the training rows only."""
