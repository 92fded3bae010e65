"""`dataset`: which data, one class per dataset.

The numbers of published data are compared with the rows by a test.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_serializer, model_validator

from nnrun.spec import catalogue, targets
from nnrun.spec.component import LARGEST, Count, Spec, clash
from nnrun.spec.csv_format import CsvFormat
from nnrun.spec.prepare import Index, Prepare
from nnrun.spec.profile import Profile, class_folders, split_at_random, split_in_order
from nnrun.spec.text import number_name
from nnrun.spec.tree import KeyPath, Node, mapping
from nnrun.spec.window import Window
from nnrun.types import Target

if TYPE_CHECKING:
    from nnrun.spec import arrays, tables
    from nnrun.types import Array

Fraction = Annotated[float, Field(gt=0, lt=1)]
# The range of seeds of all random generators in use.
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _as_class_name(value: object) -> object:
    """YAML reads the names of some classes as numbers, or as true and false."""
    if isinstance(value, bool):
        return str(value)
    return number_name(str(value)) if isinstance(value, int | float) else value


class DatasetBase(Spec):
    """Arguments of every dataset."""

    loader: ClassVar[str]
    """Module in `nnrun/data/datasets/` with the function that loads it, named like the dataset."""
    facts: ClassVar[Profile]
    """The profile of a dataset that does not depend on its arguments."""
    name: str
    prepare: tuple[Prepare, ...] = Field((), strict=False)
    """Prepare steps in order, fitted on the training rows only."""

    @property
    def views(self) -> Mapping[str, DatasetBase]:
        """The data set with each of several inputs alone, by its name; itself if it has one."""
        return {"": self}

    @property
    def positive_class(self) -> str | None:
        """The class that is to be number 1, if the spec names one."""
        return None

    @property
    def reconstructs(self) -> bool:
        """Whether the label of each row is its prepared input."""
        return False

    @property
    def names_validation(self) -> bool:
        """Whether the data say which rows validate, or may say so."""
        return False

    @property
    def is_ordered(self) -> bool:
        """Whether the order of the rows matters, so that the last ones test."""
        return False

    def profile(self) -> Profile:
        """Facts about the rows, available before they are read."""
        return self.facts


class MayReconstruct(DatasetBase):
    """Arguments of datasets whose inputs can be the labels."""

    target: Literal["inputs"] | None = None
    """`inputs`: the label of each row is its prepared input, as for an autoencoder."""

    @property
    def reconstructs(self) -> bool:
        """As the spec says."""
        return self.target == targets.INPUTS


class PerhapsTwoClasses(DatasetBase):
    """Arguments of datasets that have, or may have, two classes."""

    positive: Annotated[str, BeforeValidator(_as_class_name)] | None = None
    """Class that counts as positive in precision, recall and F1; by default the second of two."""

    @property
    def positive_class(self) -> str | None:
        """As the spec names it."""
        return self.positive


PATHS = ("path", "validation", "test")
"""Arguments that are paths."""
Location = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f]+$")]
TestName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,40}$")]
TestRows = Annotated[
    Annotated[Location, Tag("<one>")]
    | Annotated[dict[TestName, Location], Field(min_length=1), Tag("<several>")],
    Discriminator(lambda value: "<several>" if isinstance(value, dict) else "<one>"),
]


class UserData(PerhapsTwoClasses):
    """Arguments of all user data."""

    path: Location
    """File or folder of the data, relative to this spec."""
    validation: Location | None = None
    """File or folder of the validation rows, in place of `validation.holdout`."""
    test: TestRows | None = None
    """Test rows: a file or folder, or several by name; by default drawn from `path`."""
    test_split: Fraction = 0.2
    """Fraction of the rows drawn for testing, stratified by class."""
    seed: Seed = 113
    """Seed that draws the test rows."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files or folders that must exist."""
        return tuple(map(Path, self.locations.values()))

    @property
    def locations(self) -> dict[KeyPath, str]:
        """The files or folders by the key that names them."""
        given = {"path": self.path, "validation": self.validation}
        found = {("dataset", key): path for key, path in given.items() if path is not None}
        return found | {
            ("dataset", "test", name) if name else ("dataset", "test"): path
            for name, path in self.test_files.items()
        }

    @property
    def test_files(self) -> dict[str, str]:
        """The files or folders of the test rows by the name of the test set; `""` for the only one."""
        if isinstance(self.test, str):
            return {"": self.test}
        return dict(self.test or {})

    @property
    def names_validation(self) -> bool:
        """As of every dataset."""
        return self.validation is not None


InputName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
# Of an image file in most formats.
Side = Annotated[int, Field(gt=0, lt=2**16)]


class Images(UserData, MayReconstruct):
    """Your own images (PNG, JPEG, BMP, GIF or WebP) in one folder per class."""

    loader = "images"
    name: Literal["images"]
    image_size: Annotated[tuple[Side, Side], Field(strict=False)]
    """Height and width to which images are resized."""
    color_mode: Literal["rgb", "grayscale"] = "rgb"
    """Colour or grey images."""
    classes: Annotated[int, Field(ge=2, le=LARGEST)] | None = None
    """Number of classes, to check a spec without the folder; by default the folders are counted."""

    def profile(self) -> Profile:
        """One class per folder."""
        shape = (*self.image_size, 3 if self.color_mode == "rgb" else 1)
        names: tuple[str, ...] = ()
        with suppress(OSError):
            names = class_folders(Path(self.path))
        target = Target("class", "class", names or range(self.classes or 0))
        return Profile("images", "images", None, None, shape, target)


_SAMPLES: dict[tuple[str, Path, int, int], tables.Table] = {}


class TableFile(UserData):
    """Arguments of data in a table."""

    def read(self, path: Path, *, sample: bool = False) -> tables.Table:
        """The columns of a file.

        Args:
            path: of the file.
            sample: whether the first rows are enough.

        Raises:
            ImportError: the file needs an extra that is not installed.
            OSError: the file cannot be read.
            ValueError: it is not a table; with the reason and the line.
        """
        raise NotImplementedError

    def sample(self, path: Path) -> tables.Table:
        """The first rows of a file, kept until the file changes; errors as of `read`."""
        status = path.stat()
        key = (self.model_dump_json(), path, status.st_mtime_ns, status.st_size)
        if key not in _SAMPLES:
            table = self.read(path, sample=True)
            # The files to train, to validate and to test on.
            while len(_SAMPLES) > 2:
                del _SAMPLES[next(iter(_SAMPLES))]
            _SAMPLES[key] = table
        return _SAMPLES[key]


Categories = Literal["one_hot", "codes"]


class TableInput(Spec):
    """Columns of a table that are one input of the model, with their own preparation."""

    columns: Annotated[
        tuple[str, ...],
        Field(min_length=1, strict=False),
        BeforeValidator(
            lambda value: [value] if isinstance(value, str) else value,
            json_schema_input_type=str | tuple[str, ...],
        ),
    ]
    """Columns of this input; a column may be in several inputs."""
    prepare: tuple[Prepare, ...] = Field((), strict=False)
    """Prepare steps of this input; a column of texts begins with `vectorize`."""
    categories: Categories = "one_hot"
    """Encoding of words in this input."""


# Columns alone are expanded to a mapping before.
GivenInput = Annotated[
    TableInput,
    BeforeValidator(lambda value: value, json_schema_input_type=TableInput | str | tuple[str, ...]),
]


class Table(TableFile):
    """Arguments of all tables."""

    loader = "tables"
    target: targets.Columns
    """Column to predict; a list of columns; `{column: tags, separator: ";"}`, several labels in a
    cell; or `inputs`, the prepared features themselves."""
    features: tuple[str, ...] | None = Field(None, strict=False)
    """Columns to predict from; by default all others, and with `window` the target too."""
    inputs: dict[InputName, GivenInput] | None = None
    """Several inputs by name, such as `{text: {columns: review, prepare: [{vectorize: 5000}]}}`."""
    types: dict[str, Literal["number", "category", "drop"]] = Field(default_factory=dict)
    """Types of columns that are not what they look like, such as `{zip: category, id: drop}`."""
    window: Window | None = None
    """Windows over rows in order of time; see `order` and `series`."""
    order: str | None = None
    """Column of numbers or ISO dates that gives the order of the rows; by default that of the file."""
    series: str | None = None
    """Column that tells several time series apart; no window crosses from one to another."""
    groups: str | None = None
    """Column whose equal values stay together in every split; not a feature unless listed."""
    split: str | None = None
    """Column that says `train`, `validation` or `test` of each row."""
    weight: str | None = None
    """Column of how much each row counts in the training loss."""
    task: targets.Task | None = None
    """By default words are classes and numbers are values; several columns of 0 and 1 are labels."""
    categories: Categories = "one_hot"
    """Encoding of words: a 0/1 column for each, or one number, for an `Embedding`."""

    @model_validator(mode="after")
    def _windows_go_together(self) -> Self:
        window = self.window
        for key in ("order", "series"):
            if window is None and getattr(self, key) is not None:
                raise clash(key, f"{key} needs window, such as {{sequence_length: 24}}")
        for key in ("inputs", "groups"):
            if window is not None and getattr(self, key) is not None:
                raise clash(key, f"{key} cannot be used with window yet")
        if window is None:
            return self
        if self.target == targets.INPUTS:
            raise clash("target", "target: inputs cannot be used with window yet")
        if any(step.takes_texts or step.step == "flatten" for step in self.prepare):
            reason = "steps prepare rows, not windows: use impute, standardize or rescale"
            raise clash("prepare", f"{reason}, and the layer Flatten")
        inputs = self.target_columns if self.features is None else self.features
        if not window.horizon and {*inputs} & {*self.target_columns}:
            reason = "horizon: 0 gives the target as an input; list features without the target"
            raise clash("window", reason)
        return self

    @property
    def views(self) -> Mapping[str, Table]:
        """A table with each input alone, by its name; the table itself if it has one input."""
        if self.inputs is None:
            return {"": self}
        return {
            name: self.model_copy(
                update={
                    "inputs": None,
                    "features": given.columns,
                    "prepare": given.prepare,
                    "categories": given.categories,
                }
            )
            for name, given in self.inputs.items()
        }

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns that are read as texts."""
        if self.inputs is not None:
            return tuple(name for view in self.views.values() for name in view.texts)
        takes_texts = bool(self.prepare) and self.prepare[0].takes_texts
        return (self.features or ())[:1] if takes_texts else ()

    def feature_names(self, table: tables.Table) -> list[str]:
        """The columns to predict from."""
        if self.inputs is not None:
            given = (column for one in self.inputs.values() for column in one.columns)
            return list(dict.fromkeys(given))
        if self.features is not None:
            return list(self.features)
        dropped = {name for name, kind in self.types.items() if kind == "drop"}
        dropped |= {*self.row_columns.values()}
        # Past values of the target help to predict the next.
        dropped |= set[str]() if self.window else {*self.target_columns}
        return [name for name in table.columns if name not in dropped]

    @property
    def row_columns(self) -> dict[str, str]:
        """The columns about rows by their key, such as `groups`, if given."""
        keys = ("order", "series", "groups", "split", "weight")
        return {key: name for key in keys if (name := getattr(self, key)) is not None}

    @property
    def is_ordered(self) -> bool:
        """Windows overlap, so random ones would test on rows that train."""
        return self.window is not None

    @property
    def names_validation(self) -> bool:
        """As of every dataset."""
        return self.validation is not None or self.split is not None

    @property
    def reconstructs(self) -> bool:
        """As the spec says."""
        return self.target == targets.INPUTS

    @property
    def target_columns(self) -> tuple[str, ...]:
        """The columns to predict."""
        return targets.names(self.target)

    def meaning(self, table: tables.Table) -> Target:
        """The meaning of a label; errors as of `targets.meaning`."""
        return targets.meaning(self.target, table, self.task)

    @property
    def _kinds(self) -> dict[str, tables.Kind]:
        kinds = {name: kind for name, kind in self.types.items() if kind != "drop"}
        texts: dict[str, tables.Kind] = dict.fromkeys(self.texts, "category")
        return {**kinds, **targets.kinds(self.target), **texts}

    @property
    def _exact(self) -> frozenset[str]:
        """The column in which numbers are names of classes."""
        return frozenset(self.target_columns if self.task == "classification" else ())

    def profile(self) -> Profile:
        """From the file; open if only a sample of it is read, or it cannot be read."""
        name = ", ".join(self.target_columns) or targets.INPUTS
        unknown = Profile(self.name, "table", None, None, None, Target(name), open=True)
        try:
            table = self.sample(Path(self.path))
            meaning = self.meaning(table)
            is_value = meaning.kind == "value"
            values = targets.encode(self.target, table, meaning) if is_value else None
            features = self.feature_names(table)
            columns = [table.columns[name] for name in features]
            held = self.sample(Path(self.validation)) if self.validation else None
        except (ImportError, OSError, ValueError, KeyError):
            return unknown
        if table.is_sample or (held and held.is_sample):
            return unknown
        train, test = self._counts(table.rows, 0 if held is None else held.rows)
        if self.texts:
            columns, features = [], []
        one_hot = self.categories == "one_hot"
        width = sum(len(column.categories or "1") if one_hot else 1 for column in columns)
        ranges = [column.range for column in columns if column.categories is None]
        numbers = [name for name in features if not table.columns[name].categories]
        window = (self.window.sequence_length,) if self.window else ()
        codes = 0 if one_hot else sum(len(column.categories or ()) for column in columns)
        return replace(
            unknown,
            kind="texts" if self.texts else "table",
            train=train,
            test=test,
            shape=None if self.texts else (*window, width),
            target=meaning,
            numbers=tuple(numbers) if codes else (),
            scale=_root_mean_square(values),
            highest=codes - 1 if codes else unknown.highest,
            shares=_are_shares(values),
            uneven=max(ranges, default=0) > 10 * min(filter(None, ranges), default=0),
            open=False,
        )

    def _counts(self, rows: int, held: int) -> tuple[int | None, int | None]:
        """The number of rows, or of windows, to train and to test on, as far as it is known.

        Args:
            rows, held: in the files to train and to validate on.
        """
        # How many rows whole groups have, or windows several series, is not known yet.
        if self.series or ((self.groups or self.split) and not self.test):
            return None, None
        if self.window:
            rows, held = self.window.count(rows), self.window.count(held)
        train, test = (rows, None) if self.test else split_at_random(rows, self.test_split)
        return (None if train is None else train + held), test


def _root_mean_square(values: Array | None) -> float:
    if values is None or not len(values):
        return 0.0
    scale = float(((values * 1.0) ** 2).mean()) ** 0.5
    return scale if math.isfinite(scale) else 0.0


def _are_shares(values: Array | None) -> bool:
    return values is not None and bool(len(values)) and 0 <= values.min() <= values.max() <= 1


class Csv(CsvFormat, Table):
    """Your own table in a CSV file with a header."""

    name: Literal["csv"]

    def read(self, path: Path, *, sample: bool = False) -> tables.Table:
        """As of `Table`; compressed files end in `.gz`, `.bz2` or `.xz`."""
        from nnrun.spec import tables  # noqa: PLC0415 - NumPy takes 0.1 s

        return tables.read_csv(
            path, self.csv_format, kinds=self._kinds, classes=self._exact, sample=sample
        )


class Parquet(Table):
    """Your own table in a Parquet file; needs the extra `parquet`."""

    name: Literal["parquet"]

    def read(self, path: Path, *, sample: bool = False) -> tables.Table:
        """As of `Table`."""
        from nnrun.spec import tables  # noqa: PLC0415 - NumPy takes 0.1 s

        return tables.read_parquet(path, kinds=self._kinds, classes=self._exact, sample=sample)


class Npz(UserData, MayReconstruct):
    """Your own arrays in an npz file: `x_train`, `y_train`, `x_test`, `y_test`; or `x`, `y`.

    `x_val` and `y_val` validate.
    """

    loader = "npz"
    name: Literal["npz"]
    task: targets.Task | None = None
    """By default whole numbers are classes, columns of 0 and 1 are labels, others are values."""

    @property
    def names_validation(self) -> bool:
        """As of every dataset."""
        if self.validation is not None:
            return True
        with suppress(OSError, ValueError):
            return "val" in self.parts()
        return False

    def parts(self) -> dict[str, arrays.Rows]:
        """The rows of `train`, and perhaps of `val` and `test`; only the headers are read.

        Raises:
            OSError: a file cannot be read.
            ValueError: it holds no such rows; with the reason.
        """
        from nnrun.spec import arrays  # noqa: PLC0415 - NumPy takes 0.1 s

        labelled = not self.reconstructs
        parts = arrays.rows(Path(self.path), labelled=labelled)
        if self.test is not None:
            parts.pop("test", None)
        named = {f"test {name}".strip(): path for name, path in self.test_files.items()}
        held = {} if self.validation is None else {"val": self.validation}
        for name, path in (held | named).items():
            parts[name] = arrays.rows(Path(path), single=True, labelled=labelled)["train"]
        arrays.check_shapes(parts.values())
        return parts

    def profile(self) -> Profile:
        """From the headers and the labels; open if they cannot be read, which a check reports."""
        from nnrun.spec import arrays  # noqa: PLC0415 - NumPy takes 0.1 s

        unknown = Profile("npz", "table", None, None, None, open=True)
        try:
            parts = self.parts()
            y = parts["train"].read("y")
            target = Target(targets.INPUTS, "inputs")
            if not self.reconstructs:
                target = arrays.meaning(y, self.task)
        except (OSError, ValueError):
            return unknown
        rows = {name: part.x.shape[0] for name, part in parts.items()}
        train, tests = rows["train"], [n for name, n in rows.items() if name.startswith("test")]
        test = sum(tests)
        if not tests:
            train, test = split_at_random(train, self.test_split)
        train += rows.get("val", 0)
        profile = Profile("npz", "table", train, test, parts["train"].x.shape[1:], target)
        if target.kind != "value":
            return profile
        return replace(profile, scale=_root_mean_square(y), shares=_are_shares(y))


class Text(CsvFormat, TableFile):
    """Your own texts: a column of a CSV file, or .txt files in one folder per class."""

    loader = "texts"
    name: Literal["text"]
    text: Annotated[str, Field(min_length=1)] = "text"
    """Column of texts."""
    target: targets.Columns = "label"
    """Column of classes; a list of columns; or `{column: tags, separator: ";"}`, several labels in
    a cell."""

    def read(self, path: Path, *, sample: bool = False) -> tables.Table:
        """The columns of a file; errors as of `Table`."""
        from nnrun.spec import tables  # noqa: PLC0415 - NumPy takes 0.1 s

        kinds: dict[str, tables.Kind] = {self.text: "category", **targets.kinds(self.target)}
        classes = {self.target} if isinstance(self.target, str) else set[str]()
        return tables.read_csv(path, self.csv_format, kinds=kinds, classes=classes, sample=sample)

    def meaning(self, table: tables.Table) -> Target:
        """The meaning of a label; errors as of `targets.meaning`."""
        if self.target == targets.INPUTS:
            raise ValueError("texts cannot be their own labels; name a column")
        return targets.meaning(self.target, table)

    def profile(self) -> Profile:
        """The number of classes; open if it cannot be found out, which a check reports."""
        path, target = Path(self.path), Target()
        with suppress(OSError, ValueError, KeyError):
            if path.is_dir():
                target = Target.one_of("class", class_folders(path))
            elif not (table := self.sample(path)).is_sample:
                target = self.meaning(table)
        return Profile("text", "texts", None, None, None, target, open=not target.names)


def resolve_paths(root: Node, *, given: Collection[str]) -> Node:
    """The spec with absolute paths of user data.

    Paths from `given` sources, which are not files, are relative to the working directory.
    """
    dataset = root.child("dataset")
    if dataset is None or not isinstance(dataset.value, dict):
        return root
    nodes = dict(dataset.value)
    name = nodes["name"].value if "name" in nodes else None
    own = catalogue.own_names().get(str(name))
    accepted = own.entry.accepted.values() if own else ()
    paths = {*PATHS, *(argument.name for argument in accepted if argument.kind == "path")}
    for key in paths & nodes.keys():
        node = nodes[key]
        if isinstance(node.value, dict):
            named = {name: absolute(inner, given) for name, inner in node.value.items()}
            nodes[key] = mapping(named, node)
        else:
            nodes[key] = absolute(node, given)
    assert isinstance(root.value, dict)
    return mapping({**root.value, "dataset": mapping(nodes, dataset)}, root)


def absolute(node: Node, given: Collection[str]) -> Node:
    """A path of a spec as an absolute one; other values stay. `given` as for `resolve_paths`."""
    if not isinstance(node.value, str) or not node.value or "\0" in node.value:
        return node
    folder = Path() if node.place.source in given else Path(node.place.source).parent
    path = folder / node.value
    # `~` of an unknown user, or a link to itself.
    with suppress(RuntimeError):
        path = folder / Path(node.value).expanduser()
        path = path.resolve()
    return replace(node, value=str(path.absolute()))


class Words(DatasetBase):
    """Texts as word indices, with the arguments of Keras's `load_data`."""

    loader = "imdb_reuters"
    num_words: Count | None = None
    """Keep only the most frequent words; others become `oov_char`."""
    skip_top: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """Replace this many of the most frequent words by `oov_char`."""
    maxlen: Count | None = None
    """Remove texts of this length or longer."""
    seed: Seed = 113
    """Order of the rows."""
    start_char: Index | None = 1
    """Index at the start of each text."""
    oov_char: Index | None = 2
    """Index of a dropped word."""
    index_from: Index = 3
    """Offset added to every word index."""

    _rarest: ClassVar[int]
    """Rank of the rarest word."""

    def profile(self) -> Profile:
        """The published numbers, and the largest word index as Keras's `load_data` numbers words."""
        rarest, start = self._rarest + self.index_from, self.start_char
        # Without a limit Keras uses the largest index as one, which drops that word.
        limit = self.num_words or max(rarest, start or 0)
        kept = [index for index in (min(rarest, limit - 1), start) if index is not None]
        kept = [index for index in kept if self.skip_top <= index < limit]
        drops_words = self.skip_top or limit <= max(rarest, start or 0)
        if self.oov_char is not None and drops_words:
            kept.append(self.oov_char)
        profile = replace(self.facts, highest=max(kept, default=0))
        return profile if self.maxlen is None else replace(profile, train=None, test=None)


class Imdb(Words, PerhapsTwoClasses):
    """50,000 film reviews, positive or negative."""

    facts = Profile("imdb", "texts", 25_000, 25_000, None, Target.one_of("sentiment", range(2)))
    name: Literal["imdb"]
    _rarest = 88_584


class Reuters(Words):
    """11,228 newswires in 46 topics."""

    facts = Profile("reuters", "texts", None, None, None, Target.one_of("topic", range(46)))
    name: Literal["reuters"]
    test_split: Fraction = 0.2
    """Fraction of the rows kept for testing."""
    _rarest = 30_979

    def profile(self) -> Profile:
        """As of all datasets of words, split by `test_split`."""
        profile = super().profile()
        if self.maxlen is not None:
            return profile
        train, test = split_in_order(11_228, self.test_split)
        return replace(profile, train=train, test=test)


class BostonHousing(MayReconstruct):
    """506 towns of 1978 with 13 features and a median house price. No download.

    One of its columns encodes race, so Keras advises against it. It is included for the classic
    K-fold example; otherwise prefer `california_housing`.
    """

    loader = "housing"
    name: Literal["boston_housing"]
    test_split: Fraction = 0.2
    """Fraction of the rows kept for testing."""
    seed: Seed = 113
    """Order of the rows."""

    def profile(self) -> Profile:
        """The published numbers."""
        train, test = split_in_order(506, self.test_split)
        target = Target("median price in 1000 $")
        return Profile(self.name, "table", train, test, (13,), target, uneven=True)


class CaliforniaHousing(MayReconstruct):
    """20,640 blocks of 1990 with 8 features and a median house price in dollars."""

    loader = "housing"
    name: Literal["california_housing"]
    version: Literal["large", "small"] = "large"
    """All rows, or 600 of them."""
    test_split: Fraction = 0.2
    """Fraction of the rows kept for testing."""
    seed: Seed = 113
    """Order of the rows."""

    def profile(self) -> Profile:
        """The published numbers."""
        rows = 20_640 if self.version == "large" else 600
        train, test = split_in_order(rows, self.test_split)
        target = Target("median price in $")
        facts = Profile(self.name, "table", train, test, (8,), target, uneven=True)
        return replace(facts, scale=200_000.0)


class Mnist(MayReconstruct):
    """70,000 handwritten digits, 28 x 28 grey."""

    loader = "mnist"
    facts = Profile("mnist", "images", 60_000, 10_000, (28, 28), Target.one_of("digit", range(10)))
    name: Literal["mnist"]


class FashionMnist(MayReconstruct):
    """70,000 pieces of clothing in 10 kinds, 28 x 28 grey."""

    loader = "mnist"
    facts = Profile(
        "fashion_mnist",
        "images",
        60_000,
        10_000,
        (28, 28),
        Target.one_of("kind of clothing", range(10)),
    )
    name: Literal["fashion_mnist"]


class Cifar10(MayReconstruct):
    """60,000 photographs in 10 kinds, 32 x 32 in colour."""

    loader = "cifar"
    facts = Profile(
        "cifar10", "images", 50_000, 10_000, (32, 32, 3), Target.one_of("kind", range(10))
    )
    name: Literal["cifar10"]


class Cifar100(MayReconstruct):
    """60,000 photographs in 100 kinds or 20 groups of kinds, 32 x 32 in colour."""

    loader = "cifar"
    name: Literal["cifar100"]
    label_mode: Literal["fine", "coarse"] = "fine"
    """100 kinds, or 20 groups of them."""

    def profile(self) -> Profile:
        """The published numbers."""
        classes, name = (100, "kind") if self.label_mode == "fine" else (20, "group")
        target = Target.one_of(name, range(classes))
        return Profile(self.name, "images", 50_000, 10_000, (32, 32, 3), target)


class Embedded(MayReconstruct):
    """A small dataset of an installed library; no download."""

    loader = "scikit_learn"
    test_split: Fraction = 0.2
    """Fraction of the rows drawn for testing, stratified by class."""
    seed: Seed = 113
    """Order of the rows."""

    def profile(self) -> Profile:
        """The published numbers, with rows drawn for testing."""
        train, test = split_at_random(self.facts.train or 0, self.test_split)
        return replace(self.facts, train=train, test=test)


class Digits(Embedded):
    """1,797 handwritten digits, 8 x 8 grey from 0 to 16. No download."""

    facts = Profile(
        "digits", "images", 1_797, None, (8, 8), Target.one_of("digit", range(10)), highest=16
    )
    name: Literal["digits"]


class Iris(Embedded):
    """150 flowers of 3 species with 4 measures. No download."""

    facts = Profile("iris", "table", 150, None, (4,), Target.one_of("species", range(3)))
    name: Literal["iris"]


class Wine(Embedded):
    """178 wines of 3 growers with 13 measures. No download."""

    facts = Profile(
        "wine", "table", 178, None, (13,), Target.one_of("grower", range(3)), uneven=True
    )
    name: Literal["wine"]


class BreastCancer(Embedded, PerhapsTwoClasses):
    """569 tumours, malignant or benign, with 30 measures. No download."""

    facts = Profile(
        "breast_cancer",
        "table",
        569,
        None,
        (30,),
        Target.one_of("diagnosis", range(2)),
        uneven=True,
    )
    name: Literal["breast_cancer"]


class Diabetes(Embedded):
    """442 patients with 10 measures and the course of a year. No download."""

    facts = Profile(
        *("diabetes", "table", 442, None, (10,)),
        target=Target("disease progression after one year"),
        uneven=True,
    )
    name: Literal["diabetes"]


class Mnist5k(Embedded):
    """5,000 of MNIST's training images, 500 of each digit, 28 x 28 grey. No download."""

    loader = "mnist"
    facts = Profile("mnist_5k", "images", 5_000, None, (28, 28), Target.one_of("digit", range(10)))
    name: Literal["mnist_5k"]


OWN = "(own)"  # the tag of `OwnData`, which cannot be a name in a spec


class OwnData(DatasetBase):
    """Rows that a function of your own Python files returns, such as `rows.spirals`."""

    loader = "own"
    name: Literal["(own)"]
    function: str
    """Its name."""
    arguments: dict[str, object]
    """Its arguments."""

    @model_validator(mode="after")
    def _rename(self) -> Self:
        object.__setattr__(self, "name", self.function)
        return self

    @model_serializer
    def _serialize(self) -> dict[str, object]:
        steps = [step.model_dump() for step in self.prepare]
        return {"name": self.function, **self.arguments, "prepare": steps}

    def profile(self) -> Profile:
        """Nothing is known before the function runs."""
        return Profile(self.name, "table", None, None, None, open=True)


# In the order of the documentation.
_Any = (
    Imdb
    | Reuters
    | BostonHousing
    | CaliforniaHousing
    | Mnist
    | FashionMnist
    | Cifar10
    | Cifar100
    | Digits
    | Iris
    | Wine
    | BreastCancer
    | Diabetes
    | Mnist5k
    | Images
    | Csv
    | Parquet
    | Npz
    | Text
)
DATASETS: dict[str, type[DatasetBase]] = {
    get_args(cls.model_fields["name"].annotation)[0]: cls for cls in get_args(_Any)
}


def _parse(value: object) -> object:
    given = {"name": value} if isinstance(value, str) else value
    if not isinstance(given, dict) or not catalogue.of_own_module(given.get("name")):
        return given
    arguments = {key: v for key, v in given.items() if key not in DatasetBase.model_fields}
    steps = {"prepare": given["prepare"]} if "prepare" in given else {}
    return {"name": OWN, "function": given["name"], "arguments": arguments, **steps}


Dataset = Annotated[
    Annotated[_Any | OwnData, Field(discriminator="name")],
    BeforeValidator(_parse),
]
