"""`training`: how the model is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.config import JsonDict

from nnrun.spec.component import Count, Named, Spec

# By the name or number of a class. Tags have parentheses, because a class can have any name.
ClassWeight = Annotated[
    Annotated[Literal["balanced"], Tag("(word)")]
    | Annotated[dict[str, Annotated[float, Field(ge=0, lt=1e6)]], Tag("(each)")],
    Discriminator(lambda value: "(each)" if isinstance(value, dict) else "(word)"),
]


class Best(Spec):
    """The epoch whose weights are kept."""

    best: str
    """The metric that selects it, such as `val_accuracy`."""


Restore = Annotated[
    Annotated[Literal["last", "best"], Tag("(word)")] | Annotated[Best, Tag("(metric)")],
    Discriminator(lambda value: "(word)" if isinstance(value, str) else "(metric)"),
]


class Stage(Spec):
    """A part of the training, with a new optimizer."""

    epochs: Count
    """Number of epochs; the last stage ends with `training.epochs`."""
    learning_rate: Annotated[float, Field(gt=0, lt=1e6)] | None = None
    """Learning rate of this stage; by default that of the optimizer."""
    freeze: tuple[str, ...] = Field((), strict=False)
    """Layers to freeze, by Keras class such as `Application`, by block, or by `name`."""


def _require_epochs_or_stages(schema: JsonDict) -> None:
    required = schema["required"]
    assert isinstance(required, list)
    schema["required"] = [key for key in required if key != "epochs"]
    schema["anyOf"] = [{"required": ["epochs"]}, {"required": ["stages"]}]


class Training(Spec):
    """How the model is trained."""

    model_config = ConfigDict(json_schema_extra=_require_epochs_or_stages)

    optimizer: Named
    """A Keras optimizer, such as `rmsprop` or `{RMSprop: {learning_rate: 0.001}}`."""
    loss: Named
    """A Keras loss; labels are encoded as it requires."""
    metrics: tuple[Named, ...] = Field((), strict=False)
    """Keras metrics, reported for training, validation and test rows."""
    epochs: Count
    """Passes over the training rows; by default the sum of all `stages`."""
    batch_size: Count = 32
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
    restore: Restore = "last"
    """Weights to test and keep: of the `last` epoch, or of the `best` by `val_loss` or another
    metric, as in `{best: val_accuracy}`."""
    engine: Literal["auto", "xla", "graph", "fit"] = "auto"
    """Training loop: compiled with XLA, as a TensorFlow graph, or Keras's `model.fit`."""
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Keras's dtype policy."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|gpu:\d+)$")] = "auto"
    """`auto` is the first GPU, or the CPU if there is none."""

    @property
    def restored_by(self) -> str | None:
        """The metric that selects the epoch to restore; None if the last epoch is kept."""
        if isinstance(self.restore, Best):
            return self.restore.best
        return "val_loss" if self.restore == "best" else None

    @model_validator(mode="before")
    @classmethod
    def _add_up_stages(cls, value: object) -> object:
        if not isinstance(value, Mapping) or "epochs" in value or not value.get("stages"):
            return value
        stages = value["stages"] if isinstance(value["stages"], list | tuple) else ()
        epochs = [stage.get("epochs") for stage in stages if isinstance(stage, Mapping)]
        # Invalid values are reported at their own places.
        return {**value, "epochs": sum(number for number in epochs if type(number) is int) or 1}
