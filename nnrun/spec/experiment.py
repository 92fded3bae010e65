"""The top-level keys of a spec, in the order people write them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from nnrun.spec.codes import LINT
from nnrun.spec.component import Named, Spec
from nnrun.spec.dataset import Dataset, Seed
from nnrun.spec.expect import Condition
from nnrun.spec.training import Training
from nnrun.spec.validation import Validation

# `lint`: which warnings a spec takes back.


def _known(code: str) -> Any:
    if code not in LINT:
        raise PydanticCustomError("lint_code", "unknown warning")
    return code


# What an editor proposes; `_known` is what checks.
_CODES = {
    "enum": list(LINT),
    "markdownEnumDescriptions": [rule.rule for rule in LINT.values()],
}
Code = Annotated[str, AfterValidator(_known), Field(json_schema_extra=_CODES)]


class Lint(Spec):
    """Warnings of `nnrun check` that are meant to be so."""

    ignore: Annotated[tuple[Code, ...], Field(strict=False)] = ()
    """Codes such as `NN203` that are not to be said of this spec."""


# Part of a folder's name on every system: no separator, no dot or dash before it, and none of the
# dots after it that Windows drops. The time stands before it, so that even `CON` is no device there.
Name = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_-])?$")
]


def _nothing(value: Any) -> Any:
    """`validation: null` takes back what a spec below holds out."""
    return {} if value is None else value


class Experiment(Spec):
    """One experiment."""

    name: Name
    """Part of the run folder's name; the file's stem where the spec has none."""
    description: str = ""
    """What the experiment is for, in a sentence."""
    seed: Seed | None = 0
    """Seeds everything; `null` draws one and writes it down."""
    dataset: Dataset
    """Which data, and how it is prepared."""
    model: Annotated[tuple[Named, ...], Field(min_length=1, strict=False)]
    """A stack of Keras layers; the input shape comes from the data."""
    training: Training
    """How the model is fitted."""
    validation: Annotated[
        Validation, BeforeValidator(_nothing, json_schema_input_type=Validation | None)
    ] = Validation()
    """Which training rows are held out."""
    expect: dict[str, Condition] = Field(default_factory=dict)
    """What the run must reach, such as `test_accuracy: '>= 0.9'`; a miss is exit code 3."""
    lint: Lint = Lint()
    """Which warnings are meant to be so."""
