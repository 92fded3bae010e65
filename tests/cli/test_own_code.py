"""The user's Python code in every command: nothing runs before it is allowed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnrun.runs import Run
from nnrun.runs.files import file_checksum, with_checksum

PAGE = Path(__file__).parents[2] / "docs" / "own-code.md"
REFUSED = "NN132 code[0]: the spec runs Python code (layers.py) that you have not allowed yet"
NEVER = "raise SystemExit('this file never runs')\n"
CALLBACK = """

class Count(keras.callbacks.Callback):
    def __init__(self, filename: str):
        super().__init__()
        self.filename, self.seen = filename, 0

    def on_epoch_end(self, epoch, logs=None):
        self.seen += 1
        with open(self.filename, "a") as file:
            print(self.seen, file=file)


import random

keras.config.set_floatx("float64")
random.seed()
"""


def blocks(language: str) -> dict[str, str]:
    """The code of the documentation, by the name of the file in its first line."""
    found = re.findall(rf"```{language}\n# (\S+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return dict(found)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example of the documentation, with a callback that writes a file."""
    folder = tmp_path_factory.mktemp("spec")
    (folder / "layers.py").write_text(blocks("python")["layers.py"] + CALLBACK)
    text = blocks("yaml")["flowers.yaml"].replace("epochs: 20", "epochs: 3")
    (folder / "flowers.yaml").write_text(f"{text.rstrip()}\n")
    callbacks = "  callbacks: [layers.Count: seen.txt]\n"
    spec = folder / "flowers.yaml"
    spec.write_text(text.replace("  epochs", f"{callbacks}  epochs"))
    return spec


@pytest.fixture(scope="module")
def own(nnrun: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Runs the command with a configuration folder of its own."""
    folder = str(tmp_path_factory.mktemp("configuration"))

    def run(*arguments: object, **options: Any) -> Any:
        return nnrun(*arguments, env={"XDG_CONFIG_HOME": folder, "HOME": folder}, **options)

    return run


@pytest.fixture(scope="module")
def run(own: Any, spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with own code, allowed when it was trained."""
    root = tmp_path_factory.mktemp("runs")
    refused = own("train", spec, "--runs", root)
    answer = own("train", spec, "--runs", root, "--allow-code")

    assert (refused.returncode, REFUSED in refused.stderr) == (2, True)
    assert answer.returncode == 0, answer.stderr
    return Run(next(root.iterdir()))


def test_the_files_travel_in_the_run_folder(run: Run, spec: Path) -> None:
    """And what a callback writes is there too."""
    assert (run.path / "code" / "layers.py").read_bytes() == (
        spec.parent / "layers.py"
    ).read_bytes()
    assert run.is_listed("code/layers.py")
    assert run.spec()["code"] == ["code/layers.py"]
    assert (run.path / "seen.txt").read_text() == "1\n2\n3\n"


def test_the_same_spec_gives_the_same_history_without_asking_again(
    own: Any, run: Run, spec: Path, tmp_path: Path
) -> None:
    """From the spec and from the run folder, whatever the file draws while it is imported."""
    again = own("train", run.path / "spec.yaml", "--runs", tmp_path)
    [second] = map(Run, tmp_path.iterdir())

    assert again.returncode == 0, again.stderr
    assert second.history().epochs == run.history().epochs
    assert second.record().spec_digest == run.record().spec_digest


def test_commands_that_run_a_model_need_no_other_permission(own: Any, run: Run) -> None:
    predicted = own("predict", run.path, "--rows", "0:5", "--json")
    evaluated = own("evaluate", run.path, "--json")

    assert len(json.loads(predicted.stdout)["rows"]) == 5
    metrics = json.loads(evaluated.stdout)["metrics"]
    assert metrics == pytest.approx(run.train_metrics().test, rel=1e-5)


@pytest.mark.parametrize(
    "command",
    ["predict", "evaluate", "export --format tflite", "verify", "resume --epochs 5", "train"],
)
def test_code_of_someone_else_is_refused_by_every_command_that_runs_it(
    command: str, nnrun: Any, run: Run, tmp_path: Path
) -> None:
    """A run folder that was received, on a machine that does not know the file."""
    received = tmp_path / "received"
    shutil.copytree(run.path, received)
    verb, *options = command.split()
    path = received / "spec.yaml" if verb == "train" else received
    answer = nnrun(verb, path, *options, cwd=tmp_path, env={"XDG_CONFIG_HOME": str(tmp_path)})

    assert answer.returncode == 2
    assert REFUSED in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "nnrun").exists()


def outside(folder: Path) -> None:
    """Makes the spec of a run name a file that the user has allowed, for another purpose."""
    spec = folder / "spec.yaml"
    spec.write_text(spec.read_text().replace("code/layers.py", "../layers.py"))
    shutil.move(folder / "code" / "layers.py", folder.parent / "layers.py")


def link(folder: Path) -> None:
    """Makes the file of a run a link."""
    file = folder / "code" / "layers.py"
    shutil.move(file, folder.parent / "layers.py")
    file.symlink_to(folder.parent / "layers.py")


@pytest.mark.parametrize("change", [outside, link])
def test_code_outside_of_a_run_folder_is_refused(
    change: Callable[[Path], None], own: Any, run: Run, tmp_path: Path
) -> None:
    """Even if all digests are right."""
    folder = tmp_path / "received"
    shutil.copytree(run.path, folder)
    change(folder)
    record = json.loads((folder / "run.json").read_text())
    record["files"]["spec.yaml"] = file_checksum(folder / "spec.yaml")
    (folder / "run.json").write_text(json.dumps(with_checksum(record)))
    answer = own("predict", folder)

    assert answer.returncode == 1
    assert answer.stderr.endswith("layers.py is not in the run folder\n")


@pytest.mark.parametrize("command", ["predict", "evaluate", "verify", "resume --epochs 5"])
def test_a_changed_file_in_a_run_folder_is_refused(
    command: str, nnrun: Any, run: Run, tmp_path: Path
) -> None:
    """Even with permission: the results are not of this code."""
    changed = tmp_path / "changed"
    shutil.copytree(run.path, changed)
    (changed / "code" / "layers.py").write_text(
        f"{blocks('python')['layers.py']}\n{NEVER}{CALLBACK}"
    )
    verb, *options = command.split()
    answer = nnrun(
        *(verb, changed, *options, "--allow-code"), env={"XDG_CONFIG_HOME": str(tmp_path)}
    )

    assert answer.returncode == 1
    assert "changed since" in answer.stderr or "damaged or edited" in answer.stderr
    assert "never runs" not in answer.stderr


def test_commands_that_run_nothing_ask_nothing(
    nnrun: Any, run: Run, spec: Path, tmp_path: Path
) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    checked = nnrun("check", spec, env=env)

    assert checked.returncode == 0
    assert (
        "flowers.yaml: fine, shapes from model[1] on not checked\n  layers.py: read, not run"
        in checked.stdout
    )
    for arguments in (
        ("compare", run.path, run.path),
        ("show", run.path),
        ("verify", "--files", run.path),
    ):
        answer = nnrun(*arguments, env=env)
        assert answer.returncode == 0, answer.stderr


@pytest.mark.slow
def test_runs_of_changed_code_are_not_seeds_of_one_experiment(
    own: Any, run: Run, spec: Path, tmp_path: Path
) -> None:
    shutil.copytree(spec.parent, tmp_path / "spec")
    file = tmp_path / "spec" / "layers.py"
    file.write_text(file.read_text().replace("1e-7", "1e-6"))
    options = ("--set", "seed=1", "--runs", tmp_path / "runs", "--allow-code")
    assert own("train", tmp_path / "spec" / "flowers.yaml", *options).returncode == 0
    answer = own("compare", run.path, next((tmp_path / "runs").iterdir()))

    assert "2 seeds" not in answer.stdout
    assert answer.stdout.count("layers.py") >= 2


ERRORS = {
    "import": (
        "layers.py",
        "\nX = 1 / 0\n",
        "layers.py:52: ZeroDivisionError: division by zero\n    X = 1 / 0",
    ),
    "build": (
        "inputs * self",
        "undefined * self",
        "layers.py:20: in call NameError: name 'undefined' is not defined",
    ),
    "loss": ("right = ops.sum", "right = ops.summ", "no attribute 'summ' (layers.py, line 32)"),
    "callback": ("self.seen += 1", "assert self.seen", "in on_epoch_end AssertionError"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_in_own_code_is_shown_with_its_line(
    case: str, own: Any, spec: Path, tmp_path: Path
) -> None:
    old, new, message = ERRORS[case]
    shutil.copytree(spec.parent, tmp_path / "spec")
    file = tmp_path / "spec" / "layers.py"
    text = file.read_text()
    file.write_text(text + new if case == "import" else text.replace(old, new))
    answer = own(
        "train", tmp_path / "spec" / "flowers.yaml", "--allow-code", "--runs", tmp_path / "runs"
    )

    assert answer.returncode in (1, 2)
    assert message in answer.stderr
    assert "layers.py" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_rows_and_steps_of_own_code_are_used_by_every_command(own: Any, tmp_path: Path) -> None:
    for name in ("rows.py", "steps.py"):
        (tmp_path / name).write_text(blocks("python")[name])
    path, text = tmp_path / "spirals.yaml", blocks("yaml")["spirals.yaml"]
    text = text.replace("[rows.py]", "[rows.py, steps.py]")
    path.write_text(text.replace("[standardize]", "[steps.Clip, standardize]"))
    options = ("--runs", tmp_path / "runs", "--allow-code")
    answer = own("train", path, *options, "--expect", "test_accuracy >= 0.95")
    [folder] = (tmp_path / "runs").iterdir()
    evaluated = own("evaluate", folder, "--json")

    assert answer.returncode == 0, answer.stderr
    metrics = json.loads(evaluated.stdout)["metrics"]
    assert metrics == pytest.approx(Run(folder).train_metrics().test, rel=1e-4)


@pytest.mark.slow
def test_folds_seeds_and_smoke_run_own_code(own: Any, run: Run, spec: Path, tmp_path: Path) -> None:
    """Worker processes do not ask again."""
    folds = ("--set", "validation={kfold: {folds: 2}}", "--workers", 2, "--runs", tmp_path / "runs")
    crossed = own("kfold", spec, *folds, "--final")
    [whole] = (tmp_path / "runs").iterdir()

    assert crossed.returncode == 0, crossed.stderr
    assert (whole / "fold-2" / "code" / "layers.py").is_file()
    assert own("predict", whole, "--rows", "0:2", "--folds").returncode == 0
    assert own("train", spec, "--seeds", 2, "--runs", tmp_path / "seeds").returncode == 0
    assert own("smoke", spec).returncode == 0
