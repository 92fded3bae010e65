"""The top-level keys of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from nnrun.spec import codes
from nnrun.spec.code import PythonFile
from nnrun.spec.component import (
    INPUTS,
    Component,
    Named,
    Spec,
    as_stack,
    parse_component,
    with_input_dim,
)
from nnrun.spec.dataset import Dataset, Seed, Table
from nnrun.spec.expect import Condition
from nnrun.spec.training import Training
from nnrun.spec.tree import KeyPath
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

    @property
    def views(self) -> dict[str, Experiment]:
        """The experiment with each of several inputs alone, by its name; itself if it has one.

        The layers of a view are those of its input, then those after `Inputs`.
        """
        views = self.dataset.views
        if {*views} == {""}:
            return {"": self}
        return {
            name: self.model_copy(
                update={"dataset": dataset, "model": (*self._stack(name), *self._trunk)}
            )
            for name, dataset in views.items()
        }

    @property
    def _trunk(self) -> tuple[Component, ...]:
        return self.model[1:] if self.model[0].name == INPUTS else self.model

    def _stack(self, name: str) -> tuple[Component, ...]:
        """The layers of one of several inputs."""
        stacks = self.model[0].arguments.get("paths") if self.model[0].name == INPUTS else None
        stack = stacks.get(name, []) if isinstance(stacks, dict) else []
        return tuple(parse_component(layer) for layer in as_stack(stack))

    def with_input_dims(self, rows: Mapping[str, int | None]) -> Experiment:
        """The experiment with each `input_dim: auto` replaced by the rows that the input needs.

        Args:
            rows: by input, and without a name for the only one; None if unknown.
        """
        model = [*self.model]
        for name, count in rows.items():
            if count is not None and not name:
                model = [with_input_dim(layer, count) for layer in model]
            elif count is not None and model[0].name == INPUTS:
                paths = {**model[0].arguments["paths"]}
                if name in paths:
                    paths[name] = with_input_dim(paths[name], count)
                arguments = {**model[0].arguments, "paths": paths}
                model[0] = model[0].model_copy(update={"arguments": arguments})
        return self.model_copy(update={"model": tuple(model)})

    def path_in_whole(self, name: str, path: KeyPath) -> KeyPath:
        """Where a path of a view is in the whole experiment."""
        match path:
            case ("dataset", "features", *rest) if name:
                return ("dataset", "inputs", name, "columns", *rest)
            case ("dataset", ("prepare" | "categories") as key, *rest) if name:
                return ("dataset", "inputs", name, key, *rest)
            case ("model", int(index), *rest) if name and self.model[0].name == INPUTS:
                count = len(self._stack(name))
                if index < count:
                    return ("model", 0, INPUTS, "paths", name, index, *rest)
                return ("model", index - count + 1, *rest)
        return path

    @model_validator(mode="after")
    def _share_groups(self) -> Self:
        """Groups of a table hold for the test rows too, wherever the spec names them."""
        groups, dataset = self.validation.groups, self.dataset
        if groups is not None and isinstance(dataset, Table) and dataset.groups is None:
            object.__setattr__(self, "dataset", dataset.model_copy(update={"groups": groups}))
        return self
