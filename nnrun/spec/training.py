"""`training`: how the model is trained."""

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
    # In parentheses, because a class can have any name.
    return "(each)" if isinstance(value, dict) else "(word)"


# By the name or number of a class.
ClassWeight = Annotated[
    Annotated[Literal["balanced"], Tag("(word)")]
    | Annotated[dict[str, Annotated[float, Field(ge=0, lt=1e6)]], Tag("(each)")],
    Discriminator(_form),
]
Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|gpu:\d+)$")]


class Stage(Spec):
    """A part of the training, with a new optimizer."""

    epochs: PositiveInt
    """Number of epochs; the last stage ends with `training.epochs`."""
    learning_rate: Annotated[float, Field(gt=0, lt=1e6)] | None = None
    """Learning rate of this stage; by default that of the optimizer."""
    freeze: tuple[str, ...] = Field((), strict=False)
    """Layers to freeze, by Keras class such as `Application`, by block, or by `name`."""


def _form_of_epochs(schema: dict[str, Any]) -> None:
    """Either epochs or stages are required."""
    schema["required"] = [key for key in schema["required"] if key != "epochs"]
    schema["anyOf"] = [{"required": ["epochs"]}, {"required": ["stages"]}]


class Training(Spec):
    """How the model is trained."""

    model_config = ConfigDict(json_schema_extra=_form_of_epochs)

    optimizer: Named
    """A Keras optimizer, such as `rmsprop` or `{RMSprop: {learning_rate: 0.001}}`."""
    loss: Named
    """A Keras loss; labels are encoded as it requires."""
    metrics: tuple[Named, ...] = Field((), strict=False)
    """Keras metrics, reported for training, validation and test rows."""
    epochs: PositiveInt
    """Passes over the training rows; by default the sum of all `stages`."""
    batch_size: PositiveInt = 32
    """Rows per gradient step."""
    shuffle: bool = True
    """Shuffle the rows before each epoch, with the seed."""
    class_weight: ClassWeight | None = None
    """Weight of each class in the training loss: `balanced`, or a number per class, by name or
    number; the default is 1."""
    stages: tuple[Stage, ...] = Field((), strict=False)
    """Consecutive parts of the training, such as `{epochs: 5, freeze: [Application]}`."""
    callbacks: tuple[Named, ...] = Field((), strict=False)
    """Keras callbacks, such as `{EarlyStopping: {monitor: val_loss, patience: 3}}`."""
    engine: Literal["auto", "xla", "graph", "fit"] = "auto"
    """Training loop: compiled with XLA, as a TensorFlow graph, or Keras's `model.fit`."""
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Keras's dtype policy."""
    device: Device = "auto"
    """`auto` is the first GPU, or the CPU if there is none."""

    @model_validator(mode="before")
    @classmethod
    def _added_up(cls, value: Any) -> Any:
        """Sets `epochs` to the sum of the stages, if it is missing."""
        if not isinstance(value, Mapping) or "epochs" in value or not value.get("stages"):
            return value
        stages = value["stages"] if isinstance(value["stages"], list | tuple) else ()
        epochs = [stage.get("epochs") for stage in stages if isinstance(stage, Mapping)]
        # Invalid values are reported at their own places.
        return {**value, "epochs": sum(number for number in epochs if type(number) is int) or 1}
