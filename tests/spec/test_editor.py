"""Completion, descriptions and marks of the language server of VS Code, Neovim and others.

The server is installed with npm, once, into the user's cache. Without node, npm or a network these
tests are skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import platformdirs
import pytest

from nnrun.spec import catalogue, schema
from nnrun.spec.codes import warnings
from nnrun.spec.experiment import Experiment
from nnrun.spec.prepare import STEPS
from nnrun.spec.training import Training

PACKAGE = "yaml-language-server@1.25.0"
ROOT = Path(__file__).parents[2]
CURSOR = "▮"
DIGITS = """\
name: small
dataset: digits
model:
  - Flatten
  - Dense: {units: 10, activation: softmax}
training:
  optimizer: adam
  loss: sparse_categorical_crossentropy
  epochs: 2
"""


def installed() -> Path:
    """The server's program, installed if necessary."""
    folder = platformdirs.user_cache_path("nnrun") / PACKAGE
    program = Path("node_modules/yaml-language-server/bin/yaml-language-server")
    if not (folder / program).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            once = ["--fetch-retries=0", "--fetch-timeout=20000"]
            npm = ["npm", "install", "--silent", "--no-fund", *once, "--prefix", temporary, PACKAGE]
            subprocess.run(npm, check=True, capture_output=True, timeout=60)
            # Atomically: another process may be installing it too.
            shutil.copytree(temporary, f"{temporary}-whole", symlinks=True)
            Path(f"{temporary}-whole").rename(folder)
    return folder / program


class Editor:
    """A client of a language server: JSON-RPC over its stdin and stdout."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.server = subprocess.Popen(
            ["node", str(program), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.folder = folder
        self.opened = 0
        self.arrived: Queue[dict[str, Any]] = Queue()
        threading.Thread(target=self._read, daemon=True).start()
        markdown = {"documentationFormat": ["markdown"], "snippetSupport": True}
        document = {"completion": {"completionItem": markdown}, "hover": {}}
        capabilities = {"textDocument": document, "workspace": {"configuration": True}}
        root = {"processId": None, "rootUri": folder.as_uri()}
        self.ask("initialize", {**root, "capabilities": capabilities})
        self.notify("initialized", {})

    def ask(self, method: str, parameters: Any) -> Any:
        """Asks the server and waits for its answer."""
        self._write({"id": method, "method": method, "params": parameters})
        return self._wait(lambda message: message.get("id") == method)["result"]

    def notify(self, method: str, parameters: Any) -> None:
        """Sends a notification, which has no answer."""
        self._write({"method": method, "params": parameters})

    def open(self, text: str) -> str:
        """Opens a spec with the header; gives its address."""
        self.opened += 1
        uri = (self.folder / f"spec-{self.opened}.yaml").as_uri()
        whole = "\n".join([*schema.header(), text])
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": whole}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def completed(self, text: str) -> dict[str, set[str]]:
        """The proposals at the cursor: labels and the texts that they insert."""
        proposals: dict[str, set[str]] = {}
        for item in self.ask("textDocument/completion", self._at_cursor(text))["items"]:
            proposals.setdefault(item["label"], set()).add(item["insertText"])
        return proposals

    def hovered(self, text: str) -> str:
        """The description of the word at the cursor."""
        return str(self.ask("textDocument/hover", self._at_cursor(text))["contents"]["value"])

    def marked(self, text: str) -> list[tuple[int, str]]:
        """Marked faults; lines count from 1 in the text without its header."""
        uri = self.open(text)
        marks = self._wait(
            lambda message: (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == uri
            )
        )["params"]["diagnostics"]
        above = len(schema.header())
        return [(mark["range"]["start"]["line"] + 1 - above, mark["message"]) for mark in marks]

    def close(self) -> None:
        """Ends the server."""
        self.ask("shutdown", None)
        self.notify("exit", None)
        self.server.wait(10)

    def _at_cursor(self, text: str) -> dict[str, Any]:
        before = text[: text.index(CURSOR)].split("\n")
        uri = self.open(text.replace(CURSOR, ""))
        line = len(before) - 1 + len(schema.header())
        return {
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": len(before[-1])},
        }

    def _wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while not wanted(message := self.arrived.get(timeout=30)):
            if "method" in message and "id" in message:
                self._write({"id": message["id"], "result": self._answer(message)})
        return message

    def _answer(self, message: dict[str, Any]) -> Any:
        if message["method"] != "workspace/configuration":
            return None
        # The public catalogue of schemas would be downloaded.
        yaml = {"schemaStore": {"enable": False}}
        return [yaml if i["section"] == "yaml" else None for i in message["params"]["items"]]

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.server.stdin
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.server.stdin.flush()

    def _read(self) -> None:
        stdout = self.server.stdout
        assert stdout
        while line := stdout.readline():
            length = int(line.partition(b":")[2])
            while stdout.readline().strip():
                pass
            self.arrived.put(json.loads(stdout.read(length)))


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """An editor of a folder with the schema."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node or npm is missing")
    try:
        program = installed()
    except (OSError, subprocess.SubprocessError):
        pytest.skip(f"{PACKAGE} cannot be installed; there may be no network")
    folder = tmp_path_factory.mktemp("specs")
    (folder / schema.FILE).write_text(schema.text(), encoding="utf-8")
    editor = Editor(program, folder)
    yield editor
    editor.close()


DENSE = catalogue.arguments("layers", "Dense").keys()
OF_KINDS = {
    "model:\n  - ▮": "layers",
    "model:\n  - Bidirectional:\n      layer:\n        ▮": "layers",
    "model:\n  - Dense:\n      units: 1\n      activation: ▮": "activations",
    "model:\n  - Dense:\n      units: 1\n      kernel_initializer: ▮": "initializers",
    "model:\n  - Dense:\n      units: 1\n      kernel_regularizer:\n        ▮": "regularizers",
    "training:\n  optimizer: ▮": "optimizers",
    "training:\n  optimizer:\n    ▮": "optimizers",
    "training:\n  optimizer:\n    SGD:\n      learning_rate:\n        ▮": "schedules",
    "training:\n  loss: ▮": "losses",
    "training:\n  callbacks:\n    - ▮": "callbacks",
}
PROPOSALS = {
    CURSOR: {*Experiment.model_fields, "extends"},
    "extends: imdb.yaml\ntraining:\n  ▮": {*Training.model_fields},
    **{text: {*catalogue.names(kind)} for text, kind in OF_KINDS.items()},
    "training:\n  metrics: [▮]": {"accuracy", "AUC", "mae"},
    "model:\n  - Dense:\n      ▮": {*DENSE},
    "model:\n  - Dense: {units: 3, a▮": {*DENSE} - {"units"},
    "dataset: ▮": {"imdb", "digits"},
    "dataset:\n  name: ▮": {"imdb", "digits"},
    "dataset:\n  name: imdb\n  ▮": {"num_words", "prepare"},
    "dataset:\n  name: imdb\n  prepare:\n    - ▮": {*STEPS},
    "lint:\n  ignore: [▮]": {*warnings()},
}


@pytest.mark.parametrize("text", PROPOSALS)
def test_every_allowed_word_is_proposed(editor: Editor, text: str) -> None:
    assert editor.completed(text).keys() >= PROPOSALS[text]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DIGITS + CURSOR, {"dataset"}),
        ("dataset:\n  name: imdb\n  ▮", {"test_split"}),
    ],
)
def test_a_present_key_and_those_of_another_data_set_are_not_proposed(
    editor: Editor, text: str, words: set[str]
) -> None:
    assert not words & editor.completed(text).keys()


def test_a_layer_is_inserted_with_room_for_its_arguments(editor: Editor) -> None:
    """If it needs none also alone."""
    proposed = editor.completed("model:\n  - ▮")

    assert {text.strip() for text in proposed["Flatten"]} == {"Flatten", "Flatten:"}
    assert {text.strip() for text in proposed["Dense"]} == {"Dense:"}


def test_defaults_are_inserted(editor: Editor) -> None:
    proposed = editor.completed("training:\n  ▮")

    assert proposed["batch_size"] == {"batch_size: ${1:32}"}
    assert proposed["callbacks"] == {"callbacks:\n  - "}


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("epochs: 2", "epochs: 2\n  batch_s▮ize: 3", "Rows per gradient step. Default: 32."),
        (
            "Dense",
            "De▮nse",
            "Just your regular densely-connected NN layer.\n\nArguments: `units` (required), ",
        ),
        ("units", "un▮its", "Positive integer, dimensionality of the output space."),
        ("softmax", "soft▮max", "`softmax`: Softmax converts a vector of values"),
        ("digits", "dig▮its", "`digits`: 1,797 handwritten digits"),
    ],
)
def test_a_word_is_described(editor: Editor, old: str, new: str, text: str) -> None:
    assert text in editor.hovered(DIGITS.replace(old, new, 1))


@pytest.mark.parametrize("name", ["imdb", "mnist-augmented"])
def test_nothing_is_marked_in_a_shipped_spec(editor: Editor, name: str) -> None:
    """`test_schema.py` validates all of them."""
    assert editor.marked((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "marks"),
    [
        ("name:", "nmae:", {(1, "Property nmae is not allowed.")}),
        ("  epochs", "  epoch: 3\n  epochs", {(9, "Property epoch is not allowed.")}),
        ("dataset: digits\n", "", {(1, 'Missing property "dataset".')}),
        ("units: 10,", "units: 10, unit: 3,", {(5, "Property unit is not allowed.")}),
        ("units: 10", "units: ten", {(5, "must be a whole number")}),
        ("epochs: 2", "epochs: 0", {(9, "Value is below the exclusive minimum of 0.")}),
        ("adam", "{Adam: {learning_rate: 1e-4}}", set()),
        ("adam", "{Adam: {learning_rate: fast}}", {(7, "must be a number")}),
    ],
)
def test_a_mistake_is_marked_in_its_line(
    editor: Editor, old: str, new: str, marks: set[tuple[int, str]]
) -> None:
    assert set(editor.marked(DIGITS.replace(old, new, 1))) == marks


@pytest.mark.parametrize(("old", "new", "line"), [("softmax", "sofmax", 5), ("adam", "adma", 7)])
def test_a_misspelt_name_is_marked_with_the_valid_names(
    editor: Editor, old: str, new: str, line: int
) -> None:
    [(marked, message)] = editor.marked(DIGITS.replace(old, new, 1))

    assert marked == line
    assert message.startswith("Value is not accepted. Valid values: ")
    assert f'"{old}"' in message
