"""`nnrun keys`, `explain`, `schema` and `devices`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nnrun.cli.app import app
from nnrun.spec import keys, schema
from nnrun.spec.codes import Rule, all_rules
from nnrun.spec.keras_names import NOUNS

RULES = all_rules()
HINT = "first lines of a spec in this folder, for editors:\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, [*arguments])


def test_keys_without_a_word_lists_every_key() -> None:
    output = run("keys").stdout

    for section in keys.everything():
        assert section.title in output
        assert all(f"\n  {key.name}" in output for key in section.keys)


def test_a_section_is_a_table() -> None:
    lines = [line.rstrip() for line in run("keys", "validation.holdout").stdout.splitlines()]
    [section] = keys.look_up("validation.holdout")
    size, take, stratify, gap = (key.meaning for key in section.keys)
    between, left_out = gap.split(" left out")

    assert lines == [
        f"validation.holdout: {section.meaning}",
        f"  size      whole number above 0, or number     needed  {size}",
        "            above 0 and below 1",
        f"  take      `first`, `last` or `random`         random  {take}",
        f"  stratify  true or false                       false   {stratify}",
        f"  gap       whole number from 0                 0       {between}",
        f"                                                        left out{left_out}",
        "",
    ]


def test_markdown_is_a_table_below_a_heading() -> None:
    [section] = keys.look_up("pad")
    maxlen, padding, truncating, value = (key.meaning for key in section.keys)

    assert run("keys", "pad", "--markdown").stdout == (
        f"### `pad`\n\n{section.meaning}\n\n"
        "| key | value | default | meaning |\n|---|---|---|---|\n"
        f"| `maxlen` | whole number above 0 | needed | {maxlen} |\n"
        f"| `padding` | `pre` or `post` | `pre` | {padding} |\n"
        f"| `truncating` | `pre` or `post` | `pre` | {truncating} |\n"
        f"| `value` | whole number from 0 | `0` | {value} |\n\n"
    )


def test_a_bar_in_a_sentence_does_not_end_a_cell() -> None:
    """Keras writes some formulas with it."""
    for kind in NOUNS:
        lines = run("keys", kind, "--markdown").stdout.splitlines()
        rows = [line for line in lines if line[:1] == "|"]
        assert all(row.replace("\\|", "").count("|") == 3 for row in rows)


@pytest.mark.parametrize("words", [[], ["training"], ["Dense", "mse"]], ids=str)
def test_keys_as_json(words: list[str]) -> None:
    sections = [section for word in words for section in keys.look_up(word)] or keys.everything()

    assert json.loads(run("keys", *words, "--json").stdout) == {
        "schema_version": 1,
        "sections": [json.loads(json.dumps(asdict(section))) for section in sections],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("keys training Dens", "there is no key or name 'Dens'; did you mean 'Dense'?"),
        (
            "explain NN101 NN1040",
            "there is no code 'NN1040'; did you mean 'NN104'? `nnrun explain` lists all",
        ),
        ("explain NN101 x", "there is no code 'x'; `nnrun explain` lists all"),
    ],
)
def test_an_unknown_word_or_code_is_a_usage_error(arguments: str, message: str) -> None:
    answer = run(*arguments.split())

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr == f"error: {message}\n"


def test_a_code_is_explained_with_rule_reason_and_fix() -> None:
    for code, rule in RULES.items():
        output = " ".join(run("explain", code).output.split())

        assert output.startswith(f"{code} {rule.rule} why: {rule.reason} ")
        assert f" fix: {rule.fix}" in output
        assert output.endswith(" ".join((rule.example or rule.fix).split()))


@pytest.mark.parametrize("word", ["nn104", "Nn104", "104"])
def test_spellings_of_a_code(word: str) -> None:
    assert run("explain", word).output == run("explain", "NN104").output


def test_a_symptom_is_printed_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule("A rule.", reason="A reason.", fix="A fix.", symptom="The loss stands still.")
    monkeypatch.setitem(RULES, "NN299", rule)

    assert run("explain", "NN299").output.splitlines() == [
        *("NN299  A rule.", ""),
        *("why: A reason.", ""),
        *("symptom: The loss stands still.", ""),
        "fix: A fix.",
    ]


def test_without_a_code_all_are_listed_on_a_line_each() -> None:
    lines = [f"{code}  {rule.rule}" for code, rule in RULES.items()]

    assert run("explain").output.splitlines() == lines


def test_codes_as_json() -> None:
    assert json.loads(run("explain", "NN104", "nn001", "--json").stdout) == {
        "schema_version": 1,
        "codes": [{"code": code, **asdict(RULES[code])} for code in ("NN104", "NN001")],
    }
    codes = json.loads(run("explain", "--json").stdout)["codes"]
    assert [rule["code"] for rule in codes] == list(RULES)


def test_the_schema_is_printed() -> None:
    answer = run("schema")

    assert (answer.exit_code, answer.stderr) == (0, "")
    assert json.loads(answer.stdout) == schema.schema()


def test_the_schema_is_written_and_the_first_lines_of_a_spec_are_printed() -> None:
    """An existing file is replaced."""
    Path(schema.FILE).write_text("old", encoding="utf-8")
    answer = run("schema", "-o", schema.FILE)

    assert (answer.exit_code, answer.stdout) == (0, "")
    assert answer.stderr == HINT + (
        "# yaml-language-server: $schema=nnrun.schema.json\n# $schema: nnrun.schema.json\n"
    )
    assert Path(schema.FILE).read_text(encoding="utf-8") == schema.text()
    assert [path.name for path in Path().iterdir()] == [schema.FILE]


def test_a_schema_in_another_folder_has_a_relative_path(folder: Path) -> None:
    (folder / "a").mkdir()
    answer = run("schema", "-o", str(folder / "a" / "b.json"))

    assert answer.stderr.endswith("# $schema: a/b.json\n")


@pytest.mark.parametrize(
    ("arguments", "name"), [([], schema.FILE), (["--output", "my.json"], "my.json")]
)
def test_only_the_first_lines_are_printed(arguments: list[str], name: str) -> None:
    answer = run("schema", "--header", *arguments)

    assert (answer.exit_code, answer.stderr) == (0, "")
    assert answer.stdout == "".join(f"{line}\n" for line in schema.header(name))


@pytest.mark.parametrize(
    ("name", "reason"), [("none/a.json", "No such file or directory"), ("full", "Is a directory")]
)
def test_a_file_that_cannot_be_written_is_reported(name: str, reason: str, folder: Path) -> None:
    (folder / "full").mkdir()
    answer = run("schema", "-o", name)

    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == f"error: {name}: cannot be written: {reason}\n"
    assert [path.name for path in Path().iterdir()] == ["full"]


def test_links_and_devices_are_not_replaced(folder: Path) -> None:
    """As root, a replaced `/dev/null` would be missing for everybody."""
    (folder / "there.json").write_text("old", encoding="utf-8")
    (folder / "link.json").symlink_to("there.json")

    assert run("schema", "-o", "link.json").exit_code == 0
    assert (folder / "link.json").is_symlink()
    assert (folder / "there.json").read_text(encoding="utf-8") == schema.text()
    assert run("schema", "-o", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


def test_devices_are_listed_without_messages_of_tensorflow(nnrun: Any) -> None:
    answer = nnrun("devices", "--json")
    document = json.loads(answer.stdout)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert document["schema_version"] == 1
    assert {"cpu", document["auto"]} <= document["devices"].keys()


@pytest.mark.slow
def test_the_default_device_is_marked(nnrun: Any) -> None:
    answer = nnrun("devices")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert any(line.startswith("cpu") for line in answer.stdout.splitlines())
    assert answer.stdout.count("(auto)") == 1
