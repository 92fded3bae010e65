"""Every code can happen, and every code has its rule."""

import re
from pathlib import Path

import pytest

from nnrun.errors import SpecError
from nnrun.spec import codes
from nnrun.spec.loading import load

GOOD = """\
dataset: {name: mnist, prepare: [rescale, flatten]}
model: [Dense: 10]
training: {optimizer: adam, loss: mse, epochs: 1}
"""
# What only shows once there is data or a model; raised outside `nnrun.spec`.
LATER = {f"NN{number}" for number in range(120, 128)}
CULPRITS = {
    "NN002": "a: [",
    "NN003": "# nothing",
    "NN004": "[1]",
    "NN005": GOOD + "seed: 1\nseed: 2\n",
    "NN006": GOOD + "seed: !!int 1\n",
    "NN007": "[" * 60,
    "NN008": GOOD + "extends: nowhere.yaml\n",
    "NN010": GOOD + "blocks: {dense: [Dense: 10]}\n",
    "NN101": GOOD + "sede: 1\n",
    "NN102": "model: [Dense: 10]",
    "NN103": GOOD.replace("epochs: 1", "epochs: one"),
    "NN104": GOOD.replace("Dense", "Dens"),
    "NN105": GOOD.replace("adam", "adan"),
    "NN106": GOOD.replace("mse", "msee"),
    "NN107": GOOD.replace("epochs", "metrics: [accurate], epochs"),
    "NN108": GOOD.replace("epochs", "callbacks: [EarlyStop], epochs"),
    "NN109": GOOD.replace("mnist", "minst"),
    "NN110": GOOD.replace("epochs: 1", "epochs: 0"),
    "NN111": GOOD.replace("epochs", "engine: warp, epochs"),
    "NN112": GOOD.replace("Dense: 10", "Dense: {unit: 10}"),
    "NN113": GOOD.replace("Dense: 10", "Dense"),
    "NN114": GOOD.replace("Dense: 10", "Dropout: 3"),
    "NN115": GOOD.replace("Dense: 10", "3"),
    "NN116": GOOD.replace("epochs", "callbacks: [CSVLogger: ../x.csv], epochs"),
    "NN117": GOOD.replace("Dense: 10", "Activation: rellu"),
    "NN119": GOOD + "expect: {loss: good}\n",
    "NN118": GOOD.replace("flatten", "flaten"),
}


def codes_of(path: Path, *overrides: str) -> set[str]:
    with pytest.raises(SpecError) as caught:
        load(path, overrides=overrides)
    return {fault.code for fault in caught.value.faults}


@pytest.mark.parametrize(("code", "text"), CULPRITS.items(), ids=CULPRITS)
def test_a_culprit_is_found_under_its_code(code, text, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(text, "utf-8")

    assert code in codes_of(path)


def test_a_missing_file_has_its_code(tmp_path):
    assert codes_of(tmp_path / "x.yaml") == {"NN001"}


def test_a_bad_override_has_its_code(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(GOOD, "utf-8")

    assert codes_of(path, "model.7.Dense.units=3") == {"NN009"}


def test_every_code_has_a_culprit():
    assert {*CULPRITS, "NN001", "NN009", *LATER} == set(codes.all_rules()) - set(codes.warnings())


def test_every_code_used_has_a_rule():
    """A code in the program that the table does not explain would leave a person alone."""
    folder = Path(codes.__file__).parent
    used = {
        code for path in folder.glob("*.py") for code in re.findall(r"NN\d{3}", path.read_text())
    }

    assert used <= set(codes.all_rules())
