"""A spec with the facts about its data and model that are known before either is loaded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nnrun.check.shapes import LayerOutput, Shape, Trace, trace
from nnrun.errors import IncompatibleSpec
from nnrun.spec import files
from nnrun.spec.component import AUTO, Component, walk_layers
from nnrun.spec.dataset import DatasetBase, Embedded, Words
from nnrun.spec.experiment import Experiment
from nnrun.spec.prepare import prepared_dtype
from nnrun.spec.profile import Profile
from nnrun.spec.targets import INPUTS
from nnrun.spec.text import quote, type_hint
from nnrun.spec.validation import Holdout, KFold
from nnrun.types import Target

# Layers that pass values on as they are.
PASSING = frozenset("Flatten Reshape Permute RepeatVector Identity Masking".split())
HOLDOUT = ("validation", "holdout")
KFOLD = ("validation", "kfold")


@dataclass(frozen=True)
class SpecContext:
    """A spec with the profile of its dataset and the shapes of its layers.

    Args:
        profile: of the dataset.
        input_shape: of a prepared row, or of each input of it by name; None if unknown, or if the
            steps do not fit the data.
        trace: of the layers; None likewise.
    """

    spec: Experiment
    profile: Profile
    input_shape: Shape | Mapping[str, Shape] | None = None
    trace: Trace | None = None

    @property
    def input_dtype(self) -> str | Mapping[str, str]:
        """Dtype of a prepared row, or of each input of it by name."""
        dtypes: dict[str, str] = {
            name: prepared_dtype(view.prepare) for name, view in self.spec.dataset.views.items()
        }
        return next(iter(dtypes.values())) if "" in dtypes else dtypes

    @property
    def views(self) -> dict[str, SpecContext]:
        """The context of each of several inputs alone, by its name; itself if there is one."""
        views = self.spec.views
        if {*views} == {""}:
            return {"": self}
        return {name: spec_context(view) for name, view in views.items()}

    @property
    def layers(self) -> Iterator[tuple[Component, LayerOutput]]:
        """The first layers with their outputs, as far as these are known."""
        return zip(self.spec.model, self.trace.layers if self.trace else (), strict=False)

    @property
    def units(self) -> int | None:
        """Width of the model's output, if known."""
        shape = self.trace.shape if self.trace else None
        return shape[-1] if shape else None


def needed_rows(dataset: DatasetBase, highest: int | None) -> int | None:
    """The rows of an Embedding that looks up the input; None if unknown, or if it has no codes.

    Args:
        dataset: of one input.
        highest: the largest word index or code; None if unknown.
    """
    first = dataset.prepare[0] if dataset.prepare else None
    if first and first.takes_texts and (highest is not None or first.renumbers_words):
        return first.embedding_rows(highest or 0)
    is_coded = getattr(dataset, "categories", None) == "codes"
    # The last row is that of unknown words.
    return highest + 2 if is_coded and highest is not None else None


def input_dim_problems(spec: Experiment) -> Iterator[IncompatibleSpec]:
    """Embeddings whose `input_dim: auto` could not be replaced; of one input."""
    for index, layer in enumerate(spec.model):
        embeddings = (inner for inner in walk_layers([layer]) if inner.name == "Embedding")
        if any(inner.arguments.get("input_dim") == AUTO for inner in embeddings):
            message = "input_dim: auto counts words or codes: it needs texts, or categories: codes"
            yield IncompatibleSpec("NN123", ("model", index), message)


def _with_known_input_dims(spec: Experiment) -> Experiment:
    """The experiment with each `input_dim: auto` that is known before the rows are read."""
    rows: dict[str, int | None] = {}
    for name, dataset in spec.dataset.views.items():
        profile = dataset.profile()
        is_unknown = profile.open or (profile.kind == "texts" and not isinstance(dataset, Words))
        rows[name] = needed_rows(dataset, None if is_unknown else profile.highest)
    return spec.with_input_dims(rows)


def spec_context(spec: Experiment) -> SpecContext:
    """Profiles the dataset of a spec and traces its layers."""
    spec = _with_known_input_dims(spec)
    profile = spec.dataset.profile()
    if spec.dataset.reconstructs:
        profile = replace(profile, target=Target(INPUTS, "inputs"))
    steps = [step for view in spec.dataset.views.values() for step in view.prepare]
    if profile.open or not all(step.shape_is_known for step in steps):
        return SpecContext(spec, profile)
    try:
        shapes = {
            name: (view.profile() if name else profile).shape_after(view.prepare) or ()
            for name, view in spec.dataset.views.items()
        }
    except IncompatibleSpec:
        return SpecContext(spec, profile)
    shape = next(iter(shapes.values())) if "" in shapes else shapes
    if profile.target.kind == "inputs" and not isinstance(shape, dict):
        sizes = tuple(size or 0 for size in shape)
        profile = replace(profile, target=replace(profile.target, shape=sizes))
    return SpecContext(spec, profile, shape, trace(spec.model, shape))


def held_out(rule: Holdout, rows: int) -> int:
    """Number of rows that a hold-out takes from `rows` training rows.

    Raises:
        IncompatibleSpec: it takes none, or all of them.
    """
    path = (*HOLDOUT, "size")
    held = rule.size if isinstance(rule.size, int) else round(rule.size * rows)
    if held >= rows:
        message = f"must be less than the {rows} training rows, got {held}"
        raise IncompatibleSpec("NN120", path, message)
    if held < 1:
        raise IncompatibleSpec("NN120", path, f"{rule.size} of {rows} training rows holds out none")
    if held + rule.gap >= rows:
        message = f"leaves none of the {rows - held} rows that are not held out"
        raise IncompatibleSpec("NN120", (*HOLDOUT, "gap"), message)
    return held


def check_folds(rule: KFold, rows: int) -> None:
    """Refuses more folds than rows.

    Raises:
        IncompatibleSpec: with the place.
    """
    if rule.folds is not None and rule.folds > rows:
        message = f"must be at most the {rows} training rows, got {rule.folds}"
        raise IncompatibleSpec("NN126", (*KFOLD, "folds"), message)


def check_stratified(*, classes: bool, kfold: bool) -> None:
    """Refuses stratification of a regression.

    Raises:
        IncompatibleSpec: with the place.
    """
    if not classes:
        code, path = ("NN126", KFOLD) if kfold else ("NN120", HOLDOUT)
        message = "stratify needs one class per row; leave it out"
        raise IncompatibleSpec(code, (*path, "stratify"), message)


def split_problems(spec: Experiment, profile: Profile) -> Iterator[IncompatibleSpec]:
    """Splits that do not fit the number of rows or the labels."""
    if problem := _test_split_problem(spec, profile):
        yield problem
        return
    if spec.validation.holdout and getattr(spec.dataset, "validation", None):
        message = "`dataset.validation` names the validation rows; remove one of both"
        yield IncompatibleSpec("NN120", HOLDOUT, message)
    for rule in (spec.validation.holdout, spec.validation.kfold):
        try:
            if rule:
                _check_split(rule, profile)
        except IncompatibleSpec as error:
            yield error


def _test_split_problem(spec: Experiment, profile: Profile) -> IncompatibleSpec | None:
    share = getattr(spec.dataset, "test_split", None)
    if share is None or profile.train is None or profile.test is None:
        return None
    # The embedded datasets are always stratified.
    needed = max(1, len(profile.classes) if isinstance(spec.dataset, Embedded) else 1)
    rows, purpose = min((profile.train, "train"), (profile.test, "test"))
    if rows >= needed:
        return None
    classes = f" for {needed} classes" if needed > 1 else ""
    message = f"{share} leaves {max(rows, 0)} rows to {purpose} on{classes}"
    return IncompatibleSpec("NN120", ("dataset", "test_split"), message)


def _check_split(rule: Holdout | KFold, profile: Profile) -> None:
    if rule.stratify:
        check_stratified(classes=not profile.is_regression, kfold=isinstance(rule, KFold))
    if profile.train is None:
        return
    if isinstance(rule, KFold):
        check_folds(rule, profile.train)
        return
    held = held_out(rule, profile.train)
    rows, classes = min(held, profile.train - held), len(profile.classes)
    if rule.stratify and rows < classes:
        message = f"cannot keep the proportions of {classes} classes in {rows} rows"
        raise IncompatibleSpec("NN120", (*HOLDOUT, "stratify"), message)


def check_memory(spec: Experiment, rows: int, shape: Shape) -> None:
    """Refuses prepared rows that the machine cannot hold.

    Args:
        spec: with the steps and the size of a batch.
        rows: their number.
        shape: of a prepared row.

    Raises:
        IncompatibleSpec: with the estimate.
    """
    values = math.prod(length or 1 for length in shape)
    # Padded words are all kept; of other rows at least a batch, or 64 multi-hot ones.
    kept = min(rows, max(64, spec.training.batch_size))
    if prepared_dtype(spec.dataset.prepare) == "int32":
        kept += rows
    try:
        files.check_memory(4 * kept * values)
    except ValueError as error:
        message = f"{rows:,} rows of shape {shape}: {error}"
        raise IncompatibleSpec("NN123", ("dataset", "prepare"), message) from error


def embedded(spec: Experiment) -> int | None:
    """The index of the first layer, if it looks up rows in an `Embedding`, alone or inside."""
    for index, layer in enumerate(spec.model):
        names = {inner.name for inner in walk_layers([layer])}
        if "Embedding" in names:
            return index
        if layer.name not in PASSING:
            return None
    return None


def embedding_problems(spec: Experiment, numbers: Sequence[str]) -> Iterator[IncompatibleSpec]:
    """Steps and columns that give an `Embedding` other numbers than codes.

    Args:
        spec: the experiment.
        numbers: the columns of numbers in a table with columns of codes.
    """
    if (index := embedded(spec)) is None:
        return
    steps = spec.dataset.prepare
    # Pixels may be divided to make codes of them.
    is_coded = getattr(spec.dataset, "categories", None) == "codes" or any(
        step.takes_texts for step in steps
    )
    for number, step in enumerate(steps):
        if step.standardizes or (is_coded and step.largest_after(1.0) != 1.0):
            message = (
                f"{step.step} changes the codes that the Embedding in model[{index}] looks up; leave "
                "it out"
            )
            yield IncompatibleSpec("NN123", ("dataset", "prepare", number), message)
    # Layers such as Cropping1D choose the columns.
    if any(layer.name.startswith("Cropping") for layer in walk_layers([*spec.model])):
        return
    for name in (name for name in numbers if name not in getattr(spec.dataset, "types", {})):
        message = (
            f"the Embedding looks up codes, and column {quote(name)} holds numbers: leave it out of "
            f"features, or write {type_hint(name, 'category')}, or number to look it up as it is"
        )
        yield IncompatibleSpec("NN123", ("model", index), message)


def check_codes(spec: Experiment, highest: int) -> None:
    """Refuses an `Embedding` without a row for each code of a table with `categories: codes`.

    Args:
        spec: its dataset and first layer are checked.
        highest: the largest code in the data.

    Raises:
        IncompatibleSpec: with the place and a fix.
    """
    codes = getattr(spec.dataset, "categories", None) == "codes"
    rows = embedding_rows(spec)
    if codes and rows is not None and rows <= highest:
        message = f"input_dim is {rows}, but the codes go up to {highest}; write {highest + 1}"
        raise IncompatibleSpec("NN123", ("model", embedded(spec) or 0), message)


def embedding_rows(spec: Experiment) -> int | None:
    """How many codes the first `Embedding` has a row for; None if the spec does not say."""
    layer = spec.model[embedded(spec) or 0]
    rows = layer.arguments.get("input_dim") if layer.name == "Embedding" else None
    return rows if isinstance(rows, int) else None


def check_words(spec: Experiment, highest: int) -> None:
    """Refuses word indices without a column of `multi_hot` or a row of an `Embedding`.

    Args:
        spec: its first step and first layer are checked.
        highest: the largest word index in the data.

    Raises:
        IncompatibleSpec: with the place and a fix.
    """
    if not spec.dataset.prepare:
        return
    step, layer = spec.dataset.prepare[0], spec.model[0]
    limit = "vectorize.max_tokens" if step.renumbers_words else "dataset.num_words"
    if not step.accepts_word(highest):
        columns = math.prod(step.shape_after(()))
        message = f"{step.step} is {columns}, but word indices go up to {highest}; raise it, or"
        raise IncompatibleSpec("NN123", ("dataset", "prepare", 0), f"{message} set {limit}")
    needed = step.embedding_rows(highest)
    rows = layer.arguments.get("input_dim") if layer.name == "Embedding" else None
    if needed is not None and isinstance(rows, int) and rows < needed:
        message = f"input_dim is {rows}, but word indices go up to {needed - 1}; raise it, or"
        raise IncompatibleSpec("NN123", ("model", 0), f"{message} set {limit}")
