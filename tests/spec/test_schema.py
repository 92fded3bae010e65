"""The schema accepts every spec that nnrun accepts, and refuses what a schema can.

`tools/faults/fuzzing.py` checks it with changed specs.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from nnrun.errors import Place, SpecError
from nnrun.spec import blocks, catalogue, extending, keras_names, schema, source
from nnrun.spec.component import NAMED_STACKS
from nnrun.spec.experiment import Experiment
from nnrun.spec.language import EARLIER
from nnrun.spec.loading import load
from nnrun.spec.prepare import STEPS
from nnrun.spec.tree import Node

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "configs").glob("*.yaml"))
SCHEMA = schema.schema()
VALIDATOR = Draft7Validator(SCHEMA)
DIGITS = """\
dataset: digits
model:
  - Flatten
  - Dense: {units: 10, activation: softmax}
training:
  optimizer: adam
  loss: sparse_categorical_crossentropy
  epochs: 2
"""
NOWHERE = Place("x.yaml", 1, 1, 1, "")
every_spec = pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)


def of(definition: str) -> Draft7Validator:
    """Checks what one definition describes."""
    address = {"$ref": f"#/definitions/{definition}"}
    return Draft7Validator({**address, "definitions": SCHEMA["definitions"]})


def plain(text: str) -> Any:
    """YAML as nnrun reads it."""
    root = source.read(text, source="x.yaml").root
    assert root
    return root.plain()


def every_piece(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a document."""
    if isinstance(value, dict):
        yield value
    for each in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from every_piece(each)


def test_it_is_draft_07() -> None:
    Draft7Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_every_reference_is_valid_and_has_no_other_keys() -> None:
    """Draft 07 ignores keys beside a reference."""
    references = [piece for piece in every_piece(SCHEMA) if isinstance(piece.get("$ref"), str)]

    assert references
    for piece in references:
        assert piece.keys() == {"$ref"}
        assert piece["$ref"].removeprefix("#/definitions/") in SCHEMA["definitions"]


def test_every_key_and_argument_is_described() -> None:
    """Editors show the description."""
    undescribed = []
    for piece in every_piece(SCHEMA["definitions"]):
        for key, each in piece.get("properties", {}).items():
            address = each.get("$ref", "").removeprefix("#/definitions/")
            if not SCHEMA["definitions"].get(address, each).get("description"):
                undescribed.append(key)

    assert undescribed == []


def test_the_shipped_file_is_up_to_date() -> None:
    """Renew it with `make schema`."""
    shipped = json.loads(
        resources.files("nnrun.spec").joinpath("catalogue.json").read_text("utf-8")
    )
    if catalogue.installed_version() != shipped["keras"]:
        pytest.skip(f"the shipped schema describes Keras {shipped['keras']}")

    assert (ROOT / "configs" / schema.FILE).read_text(encoding="utf-8") == schema.text()


@pytest.mark.parametrize("kind", keras_names.NOUNS)
def test_every_name_of_the_catalogue_has_its_arguments(kind: str) -> None:
    alone = set(SCHEMA["definitions"].get(f"{kind}.alone", {}).get("enum", ()))
    followed = SCHEMA["definitions"][kind].get("properties", {})

    assert alone | followed.keys() == set(catalogue.names(kind))
    for name, address in followed.items():
        definition = SCHEMA["definitions"][address["$ref"].removeprefix("#/definitions/")]
        accepted = catalogue.arguments(kind, name)

        assert definition["anyOf"][0]["properties"].keys() == accepted.keys(), name
        assert (
            (name in alone)
            or any(each.required for each in accepted.values())
            or kind == "schedules"
        )


def test_every_step_has_its_arguments() -> None:
    for name, cls in STEPS.items():
        arguments = SCHEMA["definitions"][f"steps.{name}"]["anyOf"][0]["properties"]

        assert arguments.keys() == cls.model_fields.keys() - {"step"}


def test_every_top_level_key_is_there() -> None:
    assert SCHEMA["definitions"]["spec"]["properties"].keys() == {
        *Experiment.model_fields,
        *EARLIER,
    }


@every_spec
@pytest.mark.parametrize("read", [plain, yaml.safe_load], ids=["nnrun", "YAML 1.1"])
def test_a_shipped_spec_passes(path: Path, read: Callable[[str], Any]) -> None:
    """Also read as YAML 1.1, where `1e-4` is a word."""
    assert list(VALIDATOR.iter_errors(read(path.read_text(encoding="utf-8")))) == []


BROKEN = [
    ("dataset: digits", "sede: 1\ndataset: digits", "$"),
    ("dataset: digits\n", "", "$"),
    ("dataset: digits", "dataset: digit", "$.dataset"),
    ("dataset: digits", "dataset: {name: digits, num_words: 3}", "$.dataset"),
    ("dataset: digits", "dataset: {prepare: [flatten]}", "$.dataset"),
    ("dataset: digits", "dataset: {name: digits, prepare: [flaten]}", "$.dataset"),
    ("dataset: digits", "dataset: {name: digits, prepare: [pad]}", "$.dataset"),
    ("- Flatten", "- Flaten", "$.model[0]"),
    ("- Flatten", "- Dense", "$.model[0]"),
    ("- Flatten", "- {Flatten: null, Dense: 3}", "$.model[0]"),
    ("- Flatten", "- Dense: {unit: 3}", "$.model[0].Dense"),
    ("- Flatten", "- Dense: {}", "$.model[0].Dense"),
    ("- Flatten", "- Dense:", "$.model[0].Dense"),
    ("- Flatten", "- Dense: 0", "$.model[0].Dense"),
    ("- Flatten", "- Dropout: 3", "$.model[0].Dropout"),
    ("- Flatten", "- Bidirectional: {layer: {LSTN: 32}}", "$.model[0].Bidirectional"),
    ("softmax", "sofmax", "$.model[1].Dense"),
    ("units: 10", "units: ten", "$.model[1].Dense"),
    ("units: 10", "units: 10, use_bias: 'no'", "$.model[1].Dense"),
    ("units: 10", "units: 10, kernel_initializer: he_norml", "$.model[1].Dense"),
    ("adam", "adma", "$.training.optimizer"),
    ("adam", "{Adam: {learning_rate: fast}}", "$.training.optimizer"),
    ("adam", "[adam]", "$.training.optimizer"),
    ("sparse_categorical_crossentropy", "mes", "$.training.loss"),
    ("epochs: 2", "epochs: 0", "$.training.epochs"),
    ("epochs: 2", "epochs: many", "$.training.epochs"),
    ("  epochs: 2\n", "", "$.training"),
    ("epochs: 2", "epochs: 2\n  batchsize: 3", "$.training"),
    ("epochs: 2", "epochs: 2\n  engine: warp", "$.training.engine"),
    ("epochs: 2", "epochs: 2\n  callbacks: [ModelCheckpoint]", "$.training.callbacks[0]"),
    ("epochs: 2", "epochs: 2\nvalidation: {holdout: {take: first}}", "$.validation"),
    ("epochs: 2", "epochs: 2\nextends: 3", "$.extends"),
]


def check_jsonschema(*paths: Path) -> tuple[int, dict[str, Any]]:
    """Exit code and report of the command that continuous integration runs."""
    file = str(ROOT / "configs" / schema.FILE)
    command = [sys.executable, "-m", "check_jsonschema", "--output-format", "json"]
    answer = subprocess.run(
        [*command, "--schemafile", file, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.returncode, json.loads(answer.stdout)


def test_a_checker_reports_each_broken_spec_at_its_path_and_no_shipped_one(tmp_path: Path) -> None:
    """Each of the broken ones nnrun refuses too."""
    expected = set()
    for number, (old, new, place) in enumerate(BROKEN):
        path = tmp_path / f"{number}.yaml"
        path.write_text(DIGITS.replace(old, new, 1), encoding="utf-8")
        expected.add((path.name, place))
        with pytest.raises(SpecError):
            load(path)
    code, report = check_jsonschema(*tmp_path.iterdir(), *SPECS)

    assert code == 1
    assert {(Path(each["filename"]).name, each["path"]) for each in report["errors"]} == expected


VALUES = [
    *(None, True, False, 0, 1, 3, -1, 0.5, 2.5, float("inf"), [], [3, 3], [0.1], {}),
    *("relu", "he_normal", "l2", "max_norm", "adam", "valid", "same", "sum", "Flatten", "ten", ""),
    *({"L2": 0.01}, {"Dense": 3}, {"HeNormal": {"seed": 1}}, {"MaxNorm": 2}, [{"LSTMCell": 3}]),
    *(
        {"SGD": 0.1},
        {"ExponentialDecay": {"initial_learning_rate": 1, "decay_steps": 1, "decay_rate": 1}},
    ),
    *("channels_first", "val_loss", "epoch", "mean", "float32", "channels_last", "min", "auto"),
]


def node(value: Any) -> Node:
    """A value as read from a file."""
    match value:
        case dict():
            return Node({key: node(each) for key, each in value.items()}, NOWHERE)
        case list():
            return Node(tuple(node(each) for each in value), NOWHERE)
    return Node(value, NOWHERE)


def is_taken(kind: str, name: str, argument: str, value: Any) -> bool:
    """Whether nnrun finds nothing wrong with one argument."""
    written = extending.expand_component(kind, node({name: {argument: value}})).plain()
    findings = keras_names.check_component(kind, written, ())
    return not any(finding.path[:2] == (name, argument) for finding in findings)


def may_be_a_block(kind: str, name: str, argument: str, value: Any) -> bool:
    """Whether a value may stand for a layer because some spec may have a block of that name."""
    argument_kind = catalogue.arguments(kind, name)[argument].kind
    if argument_kind == NAMED_STACKS and isinstance(value, dict):
        value = next(iter(value.values()), None)
    word = next(iter(value), None) if isinstance(value, dict) else value
    return (
        argument_kind in ("layers", NAMED_STACKS)
        and isinstance(word, str)
        and bool(re.fullmatch(blocks.NAME, word))
    )


@pytest.mark.parametrize("kind", [kind for kind in keras_names.NOUNS if kind != "activations"])
def test_an_argument_accepts_the_same_values_as_nnrun(kind: str) -> None:
    """Arguments that are equal except for their description are compared once."""
    compared, differing = set(), []
    for name in dict.fromkeys(
        catalogue.canonical_name(kind, word) for word in catalogue.names(kind)
    ):
        properties = SCHEMA["definitions"][f"{kind}.{name}"]["anyOf"][0]["properties"]
        for argument in catalogue.arguments(kind, name).values():
            piece = {k: v for k, v in properties[argument.name].items() if "escription" not in k}
            case = json.dumps([piece, asdict(replace(argument, doc=""))])
            if case in compared:
                continue
            compared.add(case)
            validator = Draft7Validator({**piece, "definitions": SCHEMA["definitions"]})
            differing += [
                (name, argument.name, value)
                for value in VALUES
                if not may_be_a_block(kind, name, argument.name, value)
                and validator.is_valid(value) != is_taken(kind, name, argument.name, value)
            ]

    assert differing == []


@pytest.mark.parametrize("kind", [kind for kind in keras_names.NOUNS if kind != "schedules"])
def test_a_lone_value_is_accepted_if_nnrun_accepts_it(kind: str) -> None:
    refused = []
    validator = of(kind)
    for name, value in itertools.product(catalogue.names(kind), VALUES[::3]):
        written = extending.expand_component(kind, node({name: value})).plain()
        if not list(keras_names.check_component(kind, written, ())) and not validator.is_valid(
            {name: value}
        ):
            refused.append((name, value))

    assert refused == []


def _whole_numbers(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a whole number, with its place."""
    if isinstance(value, dict):
        if value.get("type") == "integer":
            yield place, value
        for key, inner in value.items():
            yield from _whole_numbers(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _whole_numbers(inner, place)


def test_every_whole_number_has_a_maximum() -> None:
    """A larger one would overflow somewhere, after hours or without a word."""
    numbers = dict(_whole_numbers(Experiment.model_json_schema()))

    assert len(numbers) > 20
    assert [
        at for at, number in numbers.items() if not {"maximum", "exclusiveMaximum"} & {*number}
    ] == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training.epochs", 10**21, "must be at most 1000000000, got 1000000000000000000000"),
        ("training.batch_size", 4294967328, "must be at most 1000000000, got 4294967328"),
        ("model.1.Dense.units", 10**10, "must be at most 1,000,000,000, got 10000000000"),
        ("model.1", "{Repeat: {times: 1000000000, layers: [ReLU]}}", "has 1,000,000,001 layers"),
        (
            "model.1",
            "{Repeat: {times: 1000, layers: [{Residual: {main: [{Repeat: {times: 99, layers: ReLU}}]}}]}}",
            "has 99,001 layers with all repeats, and nnrun builds at most 1,000",
        ),
        ("model", str(["ReLU"] * 1500), "has 1,500 layers"),
        ("model.1", "{Repeat: {times: 30000000, layers: []}}", "has 30,000,001 layers"),
    ],
)
def test_too_large_numbers_are_refused_before_anything_is_built(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    """They would fill the memory, wrap in 32 bits, or leave a run that nnrun cannot read."""
    path = tmp_path / "s.yaml"
    path.write_text(DIGITS)

    with pytest.raises(SpecError) as caught:
        load(path, overrides=[f"{key}={value}"])

    assert message in caught.value.faults[0].message
