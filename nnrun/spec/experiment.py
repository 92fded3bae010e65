"""The top-level keys of a spec."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from nnrun.spec import codes
from nnrun.spec.code import PythonFile
from nnrun.spec.component import Named, Spec
from nnrun.spec.dataset import Dataset, Seed, Table
from nnrun.spec.expect import Condition
from nnrun.spec.training import Training
from nnrun.spec.validation import Validation


def _known(code: str) -> str:
    if code not in codes.warnings():
        raise PydanticCustomError("lint_code", "unknown warning")
    return code


def _add_choices(schema: dict[str, object]) -> None:
    """Adds the codes for the completion of editors; `_known` checks."""
    rules = codes.warnings()
    schema["enum"] = list(rules)
    schema["markdownEnumDescriptions"] = [rule.rule for rule in rules.values()]


Code = Annotated[str, AfterValidator(_known), Field(json_schema_extra=_add_choices)]


class Lint(Spec):
    """Which warnings of `nnrun check` are disabled."""

    ignore: Annotated[tuple[Code, ...], Field(strict=False)] = ()
    """Codes of warnings to ignore, such as `NN203`."""


# Part of the name of a run folder on every system. Windows drops dots at the end of a name.
Name = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_-])?$")
]


class Experiment(Spec):
    """An experiment."""

    name: Name
    """Part of the run folder's name; by default the file's stem."""
    description: str = ""
    """Purpose of the experiment, in a sentence."""
    seed: Seed | None = 0
    """Seed of all random numbers; `null` draws and records one."""
    code: Annotated[tuple[PythonFile, ...], Field(strict=False)] = ()
    """Your Python files, such as `[layers.py]`; its names are then `layers.MyLayer`."""
    dataset: Dataset
    """The data, and how it is prepared."""
    model: Annotated[tuple[Named, ...], Field(min_length=1, strict=False)]
    """Keras layers in order; the input shape comes from the data."""
    training: Training
    """How the model is trained."""
    # `validation: null` removes the validation of an extended spec.
    validation: Annotated[
        Validation,
        BeforeValidator(
            lambda value: {} if value is None else value, json_schema_input_type=Validation | None
        ),
    ] = Validation()
    """Which training rows are held out."""
    expect: dict[str, Condition] = Field(default_factory=dict)
    """Required results, such as `test_accuracy: '>= 0.9'`; otherwise the exit code is 3."""
    lint: Lint = Lint()
    """Which warnings are disabled."""

    @model_validator(mode="after")
    def _share_groups(self) -> Self:
        """Groups of a table hold for the test rows too, wherever the spec names them."""
        groups, dataset = self.validation.groups, self.dataset
        if groups is not None and isinstance(dataset, Table) and dataset.groups is None:
            object.__setattr__(self, "dataset", dataset.model_copy(update={"groups": groups}))
        return self
