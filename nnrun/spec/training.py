"""`training`: how the model is trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from nnrun.spec.component import LARGEST, Count, Named, Spec
from nnrun.spec.dataset import Location, absolute
from nnrun.spec.tree import Node, mapping

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


class FrozenPart(Spec):
    """The part of an `Application` to freeze; with neither key, all of it."""

    except_last: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """Number of its last layers that are trained."""
    layers: tuple[str, ...] = Field(("*",), strict=False)
    """Names of its layers in Keras, or patterns such as `block1_*`."""


Freeze = Annotated[
    Annotated[str, Tag("(word)")] | Annotated[dict[str, FrozenPart], Tag("(part)")],
    Discriminator(lambda value: "(part)" if isinstance(value, dict) else "(word)"),
]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class Stage(Spec):
    """A part of the training, with a new optimizer."""

    epochs: Count
    """Number of epochs; the last stage ends with `training.epochs`."""
    learning_rate: Annotated[float, Field(gt=0, lt=1e6)] | None = None
    """Learning rate of this stage; by default that of the optimizer."""
    optimizer: Named | None = None
    """Optimizer of this stage; by default that of the training."""
    batch_size: Count | None = None
    """Rows per gradient step in this stage; by default that of the training."""
    freeze: Annotated[
        tuple[Freeze, ...],
        BeforeValidator(
            _as_list, json_schema_input_type=tuple[Freeze, ...] | dict[str, FrozenPart]
        ),
    ] = Field((), strict=False)
    """Layers to freeze, by class such as `Application`, by block, `name` or a pattern such as
    `conv*`; or a part of one, as in `{Application: {except_last: 20}}`."""

    @property
    def frozen(self) -> dict[str, FrozenPart]:
        """The parts to freeze, by name or pattern."""
        parts = (rule if isinstance(rule, dict) else {rule: FrozenPart()} for rule in self.freeze)
        return {name: part for rule in parts for name, part in rule.items()}


class Weights(Spec):
    """The weights that the training begins with, instead of random ones."""

    run: Location | None = None
    """Run folder with a trained model, relative to this spec."""
    vectors: Location | None = None
    """Text file with a word and its numbers per line, as of GloVe, for an `Embedding`."""
    layers: tuple[str, ...] = Field((), strict=False)
    """Layers to load, by name or pattern such as `conv*`; by default all that the run has."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        reasons = {}
        if self.run and self.vectors:
            reasons["vectors"] = "cannot be with run; a training begins with one of them"
        elif self.layers and not self.given:
            reasons["layers"] = "needs a run, or word vectors, to load them from"
        for key, reason in reasons.items():
            raise PydanticCustomError("clash", "{reason}", {"key": key, "reason": reason})
        return self

    @property
    def given(self) -> bool:
        """Whether there are any."""
        return bool(self.run or self.vectors)


def resolve_paths(root: Node, *, given: Collection[str]) -> Node:
    """The spec with absolute paths of weights; `given` as for those of user data."""
    training = root.child("training")
    weights = training and training.child("weights")
    if not (training and weights and isinstance(weights.value, dict)):
        return root
    nodes = {
        key: absolute(node, given) if key in ("run", "vectors") else node
        for key, node in weights.value.items()
    }
    assert isinstance(root.value, dict)
    assert isinstance(training.value, dict)
    training = mapping({**training.value, "weights": mapping(nodes, weights)}, training)
    return mapping({**root.value, "training": training}, root)


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
    weights: Weights = Weights()
    """Weights to begin with, such as `{run: runs/x}`; by default random ones."""
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

    def stage_of_epoch(self, epoch: int) -> int:
        """The number of the stage of an epoch, both counted from 0; the last stage has no end.

        Without stages, all epochs are in stage 0.
        """
        for number, stage in enumerate(self.stages):
            epoch -= stage.epochs
            if epoch < 0:
                return number
        return max(0, len(self.stages) - 1)

    def batch_size_of(self, stage: int) -> int:
        """Rows per gradient step in a stage, counted from 0."""
        own = self.stages[stage].batch_size if self.stages else None
        return own or self.batch_size

    @model_validator(mode="before")
    @classmethod
    def _add_up_stages(cls, value: object) -> object:
        if not isinstance(value, Mapping) or "epochs" in value or not value.get("stages"):
            return value
        stages = value["stages"] if isinstance(value["stages"], list | tuple) else ()
        epochs = [stage.get("epochs") for stage in stages if isinstance(stage, Mapping)]
        # Invalid values are reported at their own places.
        return {**value, "epochs": sum(number for number in epochs if type(number) is int) or 1}
