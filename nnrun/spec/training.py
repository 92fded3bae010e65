"""`training`: how the model is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    PositiveInt,
    StringConstraints,
    Tag,
    model_validator,
)

from nnrun.spec.component import Named, Spec


def _form(value: object) -> str:
    # In brackets, because a class may have any name.
    return "(each)" if isinstance(value, dict) else "(word)"


# By the name or number of a class.
ClassWeight = Annotated[
    Annotated[Literal["balanced"], Tag("(word)")]
    | Annotated[dict[str, Annotated[float, Field(ge=0, lt=1e6)]], Tag("(each)")],
    Discriminator(_form),
]
Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|gpu:\d+)$")]


class Stage(Spec):
    """A part of the training, with an optimizer that begins anew."""

    epochs: PositiveInt
    """Passes over the training rows; the last stage lasts as long as `training.epochs`."""
    learning_rate: Annotated[float, Field(gt=0, lt=1e6)] | None = None
    """Instead of the optimizer's own."""
    freeze: tuple[str, ...] = Field((), strict=False)
    """Layers that stand still, by their name in `model`, such as `Application`, by the name of their
    block, or by their own `name`."""


def _form_of_epochs(schema: dict[str, Any]) -> None:
    """Stages say how many epochs there are, where nothing else does."""
    schema["required"] = [key for key in schema["required"] if key != "epochs"]
    schema["anyOf"] = [{"required": ["epochs"]}, {"required": ["stages"]}]


class Training(Spec):
    """How the model is fitted."""

    model_config = ConfigDict(json_schema_extra=_form_of_epochs)

    optimizer: Named
    """A Keras optimizer, such as `rmsprop` or `{RMSprop: {learning_rate: 0.001}}`."""
    loss: Named
    """A Keras loss. Labels are encoded as it needs them."""
    metrics: tuple[Named, ...] = Field((), strict=False)
    """Keras metrics, reported for training, validation and test rows."""
    epochs: PositiveInt
    """Passes over the training rows; those of all `stages` where it is left out."""
    batch_size: PositiveInt = 32
    """Rows per gradient step."""
    shuffle: bool = True
    """New row order each epoch, drawn from the seed."""
    class_weight: ClassWeight | None = None
    """How much a row of each class counts in the training loss: `balanced`, as much as all classes
    together share evenly, or a number per class by its name or number; a class left out counts 1."""
    stages: tuple[Stage, ...] = Field((), strict=False)
    """Parts of the training, one after the other, such as `{epochs: 5, freeze: [Application]}`."""
    callbacks: tuple[Named, ...] = Field((), strict=False)
    """Keras callbacks, such as `{EarlyStopping: {monitor: val_loss, patience: 3}}`."""
    engine: Literal["auto", "xla", "graph", "fit"] = "auto"
    """Training loop: compiled by XLA, a TensorFlow graph, or Keras's `model.fit`."""
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Keras's dtype policy."""
    device: Device = "auto"
    """`auto` is the first GPU, or the CPU where there is none."""

    @model_validator(mode="before")
    @classmethod
    def _added_up(cls, value: Any) -> Any:
        """Writes the epochs of all stages out, where nothing else says how many there are."""
        if not isinstance(value, Mapping) or "epochs" in value or not value.get("stages"):
            return value
        stages = value["stages"] if isinstance(value["stages"], list | tuple) else ()
        given = [each.get("epochs") for each in stages if isinstance(each, Mapping)]
        # What is no number of epochs is told where it stands.
        return {**value, "epochs": sum(each for each in given if type(each) is int) or 1}
