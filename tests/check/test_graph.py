"""Names in a model: what `from` and `shared` may say, and what is said of the others."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from nnrun import check
from nnrun.check.faults import model_problems
from nnrun.check.graph import graph_problems
from nnrun.spec.component import Component
from nnrun.spec.loading import load

SPEC = """\
dataset: {name: digits, prepare: [{rescale: 16}, flatten]}
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 1}
blocks:
  cross:
    parameters: [units]
    layers:
      - Dense: {units: $units, name: inner}
      - Branches: {paths: [[{from: inner}], [{from: x0}]], merge: multiply}
model:
"""
END = "  - Dense: {units: 10, activation: softmax}\n"


def faults(model: str, folder: Path) -> list[str]:
    """The errors of a spec with these layers, with their lines in `model`."""
    path = folder / "spec.yaml"
    path.write_text(SPEC + model + END, "utf-8")
    found = [fault for fault in check.faults(load(path)) if not fault.is_warning]
    first = SPEC.count("\n")
    return [f"{fault.place.line - first}: {fault.message}" for fault in found if fault.place]


VALID = {
    "several uses of a source": """\
  - Dense: {units: 8, name: x0}
  - Branches: {paths: [[{from: x0}], [Dense: 8]], merge: multiply}
  - Branches: {paths: [[from: x0, Dense: 8], []], merge: add}
""",
    "the input of the model": """\
  - Dense: 64
  - Branches: {paths: [[from: input], []], merge: add}
""",
    "a source in a stack": """\
  - Dense: {units: 8, name: x0}
  - from: input
  - Dense: 8
  - Branches: {paths: [[from: x0], []]}
""",
    "the output of Branches": """\
  - Branches: {paths: [Dense: 8, Dense: 8], name: x0}
  - Dense: 16
  - Residual: {main: [Dense: 16], shortcut: [from: x0]}
""",
    "a name in a block that is used twice": """\
  - Dense: {units: 8, name: x0}
  - cross: 8
  - Repeat: {times: 2, layers: [cross: 8]}
  - Branches: {paths: [[from: inner], []]}
""",
    "a name in an earlier path": """\
  - Branches: {paths: [[Dense: {units: 8, name: x0}], [from: x0, Dense: 8]]}
""",
    "a shared layer": """\
  - Dense: {units: 64, activation: relu, shared: tower}
  - Dense: {units: 64, activation: relu, shared: tower, name: x0}
  - Branches: {paths: [[from: x0], [Dense: 64]]}
""",
}


@pytest.mark.parametrize("case", VALID)
def test_named_outputs_may_be_used(case: str, tmp_path: Path) -> None:
    assert faults(VALID[case], tmp_path) == []


INVALID = {
    "a misspelt name": (
        """\
  - Dense: {units: 8, name: x0}
  - Branches: {paths: [[{from: x9}], []]}
""",
        "2: no layer before it has the name 'x9'; did you mean 'x0'?",
    ),
    "an unknown name": (
        """\
  - Dense: {units: 8, name: x0}
  - Branches: {paths: [[{from: stem}], []]}
""",
        "2: no layer before it has the name 'stem'; there are 'input' and 'x0'",
    ),
    "a later name": (
        """\
  - Dense: 8
  - Branches: {paths: [[{from: x0}], []]}
  - Dense: {units: 8, name: x0}
""",
        "2: 'x0' is the output of model[2], which comes later",
    ),
    "its own path": (
        "  - Branches: {paths: [[{from: x0}, Dense: {units: 8, name: x0}], []]}\n",
        "1: 'x0' is the output of model[0].Branches.paths[0][1], which comes later",
    ),
    "an output that nothing uses": (
        """\
  - Dense: 8
  - from: input
""",
        "1: nothing uses the output of Dense, because the layers after it begin with from; give it "
        "a name and use it, or remove it",
    ),
    "an output that no path uses": (
        """\
  - Dense: {units: 8, name: x0}
  - Dense: 8
  - Branches: {paths: [[from: x0], [from: input]]}
""",
        "2: nothing uses the output of Dense, because the layers after it begin with from; give it "
        "a name and use it, or remove it",
    ),
    "a name twice": (
        """\
  - Dense: {units: 8, name: x0}
  - Branches: {paths: [[Dense: {units: 8, name: x0}], []]}
""",
        "2: the name 'x0' is taken by model[0]",
    ),
    "the name of the input": (
        "  - Dense: {units: 8, name: input}\n",
        "1: the name 'input' is taken by the input of the model",
    ),
    "a name of shared weights": (
        """\
  - Dense: {units: 8, name: tower}
  - Dense: {units: 8, shared: tower}
""",
        "2: the name 'tower' is taken by model[0]",
    ),
    "other arguments of a shared layer": (
        """\
  - Dense: {units: 64, shared: tower}
  - Dense: {units: 32, activation: relu, shared: tower}
""",
        "2: the shared layer 'tower' differs in units and activation from its first use; one layer "
        "has the same arguments",
    ),
    "another layer with the weights": (
        """\
  - Dense: {units: 64, shared: tower}
  - ReLU: {shared: tower}
""",
        "2: the shared layer 'tower' is a ReLU, and above it is a Dense; one layer has the same "
        "arguments",
    ),
    "other rows of a shared layer": (
        """\
  - Dense: {units: 32, shared: tower}
  - Dense: {units: 32, shared: tower}
""",
        "2: Dense cannot follow an output of shape (32,): the weights of 'tower' are for rows of "
        "another shape",
    ),
    "a source in a layer of Keras": (
        """\
  - Dense: {units: 8, name: x0}
  - TimeDistributed: {layer: {from: x0}}
""",
        "2: from cannot be inside TimeDistributed, which takes one layer of Keras",
    ),
    "a shared layer in a layer of Keras": (
        "  - TimeDistributed: {layer: {Dense: {units: 8, shared: tower}}}\n",
        "1: a shared layer cannot be inside TimeDistributed, which takes one layer of Keras",
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_a_faulty_name_is_reported_with_its_line(case: str, tmp_path: Path) -> None:
    model, message = INVALID[case]

    assert faults(model, tmp_path) == [message]


DATA = {
    "x0": "dataset: {name: boston_housing, prepare: [standardize]}",
    "Conv2D": "dataset: {name: cifar10, prepare: [{rescale: 255}]}",
    "Embedding": "dataset: {name: imdb, num_words: 10000, prepare: [{pad: 100}]}",
    "Cropping1D": "dataset: {name: npz, path: pairs.npz}",
}
PAGE = Path(__file__).parents[2] / "docs" / "graph.md"


@pytest.mark.parametrize("layer", DATA)
def test_the_examples_of_the_documentation_have_no_faults_of_layers(
    layer: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "pairs.npz", x=np.zeros((20, 100), "float32"), y=np.arange(20) % 2)
    [text] = [
        b
        for b in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        if layer in b
    ]
    path = tmp_path / "spec.yaml"
    training = "training: {optimizer: adam, loss: mse, epochs: 1}"
    data = DATA[layer].replace("pairs.npz", str(tmp_path / "pairs.npz"))
    path.write_text(f"{data}\n{training}\n{text}", "utf-8")
    context = check.spec_context(load(path).experiment)

    assert [*model_problems(context.spec.model)] == []
    assert context.trace
    assert context.trace.parameters


def test_a_fault_in_a_repeated_stack_is_reported_once() -> None:
    stack = [{"Dense": {"units": 4}}, {"from": "h"}]
    repeat = Component(name="Repeat", arguments={"times": 3, "layers": stack})

    assert len([*graph_problems([repeat])]) == 1
