"""Results of smoke trials: status, table, Markdown and JUnit XML."""

from __future__ import annotations

import io
import signal
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from nnrun.cli import console, smoke
from nnrun.cli.smoke import SmokeProgress, SmokeResult, Trials
from nnrun.errors import RunError
from nnrun.runs import Run
from nnrun.spec.loading import load
from nnrun.training.backend import Interrupts

IRIS = Path(__file__).parents[2] / "configs" / "iris.yaml"


class Finished(Run):
    """A finished run."""

    def metrics(self) -> dict[str, Any]:
        return {"epochs": 1}


def attempted(
    error: BaseException | None, folder: Path, *, interrupt: signal.Signals | None = None
) -> SmokeResult:
    """The result of a trial that ended with an error, or none, after it swallowed an interrupt."""

    def run_trial(*_: Any, **__: Any) -> Run:
        if interrupt:
            with suppress(KeyboardInterrupt):
                signal.raise_signal(interrupt)
        if error:
            raise error
        return Finished(folder)

    each = SmokeResult("iris.yaml", "iris")
    with SmokeProgress(1) as watcher, Interrupts() as interrupts:
        trials = Trials(folder, watcher, False, 0.0, run_trial, interrupts)
        trials.attempt(load(IRIS), each)
    return each


def test_a_bug_is_reported_with_its_traceback(tmp_path: Path) -> None:
    each = attempted(ZeroDivisionError("ours"), tmp_path)

    assert (each.status, each.code) == ("failed", 1)
    assert each.errors == ("ZeroDivisionError('ours')",)
    assert each.trace.startswith("Traceback (most recent call last):\n")
    assert each.trace.endswith("ZeroDivisionError: ours\n")


def test_an_error_of_the_user_has_no_traceback(tmp_path: Path) -> None:
    each = attempted(RunError("model.keras: is not there"), tmp_path)

    assert (each.status, each.errors, each.trace) == ("failed", ("model.keras: is not there",), "")


def test_a_passed_trial_has_its_metrics(tmp_path: Path) -> None:
    each = attempted(None, tmp_path)

    assert (each.status, each.metrics, each.data) == ("passed", {"epochs": 1}, "real")


def test_an_interrupt_ends_the_trials(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        attempted(KeyboardInterrupt(), tmp_path)


@pytest.mark.parametrize("error", [None, SystemError("bad argument"), RunError("torn")], ids=repr)
def test_an_interrupt_that_became_another_error_is_still_one(
    error: Exception | None, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """TensorFlow turns Ctrl-C into another error while it traces a function."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with pytest.raises(KeyboardInterrupt):
        attempted(error, tmp_path, interrupt=signal.SIGINT)


def test_signal_handlers_are_restored(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    attempted(None, tmp_path)

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """Ctrl-C is ignored in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        each = attempted(None, tmp_path, interrupt=signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

    assert each.status == "passed"


TABLE_RESULTS = [
    SmokeResult("a.yaml", "a", smoke.PASSED, "synthetic", 1.5, skipped=("expect",)),
    SmokeResult("b|c.yaml", "b", smoke.FAILED, "real", 0.25, ("out of [memory]",)),
    SmokeResult("d.yaml", "", smoke.REFUSED, errors=("d.yaml:1:1: NN101 x", "d.yaml:2:1: NN102 y")),
    SmokeResult("e.yaml", "e"),
]


def test_a_row_per_spec_then_the_reasons_then_a_sentence() -> None:
    out = io.StringIO()
    smoke.show(TABLE_RESULTS, console.stderr(out), seconds=3.04)
    lines = out.getvalue().splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]

    assert rows == [
        ["a.yaml", "synthetic rows", "1.50", "passed, expect skipped"],
        ["b|c.yaml", "real rows", "0.25", "failed"],
        ["d.yaml", "", "", "refused"],
        ["e.yaml", "", "", "not tried"],
    ]
    assert lines[-4:] == [
        "b|c.yaml: out of [memory]",
        "d.yaml:1:1: NN101 x",
        "d.yaml:2:1: NN102 y",
        "1 of 4 passed in 3.0 s",
    ]


def test_markdown_is_a_table_that_neither_bar_nor_bracket_breaks() -> None:
    assert smoke.markdown(TABLE_RESULTS, seconds=3.04) == (
        "### nnrun smoke\n\n"
        "| spec | data | seconds | result |\n"
        "| --- | --- | ---: | --- |\n"
        "| a.yaml | synthetic rows | 1.50 | passed, expect skipped |\n"
        "| b\\|c.yaml | real rows | 0.25 | failed |\n"
        "| d.yaml |  |  | refused |\n"
        "| e.yaml |  |  | not tried |\n\n"
        "- b\\|c.yaml: out of \\[memory\\]\n"
        "- d.yaml:1:1: NN101 x\n"
        "- d.yaml:2:1: NN102 y\n\n"
        "1 of 4 passed in 3.0 s\n"
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [("passed", 0), ("failed", 1), ("refused", 2), ("interrupted", 1), ("not tried", 1)],
)
def test_each_status_has_its_exit_code(status: str, code: int) -> None:
    assert SmokeResult("a.yaml", status=status).code == code


JUNIT_RESULTS = [
    SmokeResult("a.yaml", "a", smoke.PASSED, "synthetic", 1.5, skipped=("expect",)),
    SmokeResult("b.yaml", "b", smoke.FAILED, "real", 0.25, ("<loss> & \x1b[1mcolour\x00",)),
    SmokeResult("c & d.yaml", "", smoke.REFUSED, errors=("c.yaml:1:1: NN101 x", "c.yaml:2:1: y")),
    SmokeResult("e.yaml", "e", smoke.FAILED, "real", 1.0, ("KeyError('x')",), trace="Traceback …"),
    SmokeResult("f.yaml", "f", smoke.INTERRUPTED, "real", 2.0),
    SmokeResult("g.yaml", "g"),
]


@pytest.fixture
def root() -> ElementTree.Element:
    return ElementTree.fromstring(
        smoke.junit_xml(JUNIT_RESULTS, began=datetime(2026, 1, 2, 3, 4, 5))
    )


def test_the_suites_and_the_suite_count_the_same(root: ElementTree.Element) -> None:
    [suite] = root
    counts = {"tests": "6", "failures": "1", "errors": "2", "time": "4.750"}

    assert root.tag == "testsuites"
    assert root.attrib == {"name": "nnrun smoke", **counts}
    assert suite.tag == "testsuite"
    assert suite.attrib == {
        **counts,
        "name": "nnrun.smoke",
        "skipped": "2",
        "timestamp": "2026-01-02T03:04:05",
        "hostname": suite.attrib["hostname"],
    }


def test_every_spec_is_a_case_with_its_seconds(root: ElementTree.Element) -> None:
    cases = [case.attrib for case in root.iter("testcase")]

    assert cases == [
        {"name": each.spec, "classname": "nnrun.smoke", "time": f"{each.seconds:.3f}"}
        for each in JUNIT_RESULTS
    ]


def test_each_result_that_did_not_pass_has_its_kind(root: ElementTree.Element) -> None:
    """A failed trial is a failure; a refused spec or a bug is an error."""
    elements = [(sign.tag, sign.get("message")) for case in root.iter("testcase") for sign in case]

    assert [one for one in elements if one[0] != "system-out"] == [
        ("failure", "<loss> & \ufffd[1mcolour\ufffd"),
        ("error", "c.yaml:1:1: NN101 x; c.yaml:2:1: y"),
        ("error", "KeyError('x')"),
        ("skipped", "interrupted"),
        ("skipped", "not tried"),
    ]


def test_a_bug_keeps_its_traceback(root: ElementTree.Element) -> None:
    texts = [sign.text for sign in root.iter("error")]

    assert texts == ["c.yaml:1:1: NN101 x\nc.yaml:2:1: y", "Traceback …"]


def test_synthetic_rows_and_skipped_keys_are_named(root: ElementTree.Element) -> None:
    assert root.findtext(".//testcase[@name='a.yaml']/system-out") == (
        "synthetic rows\nexpect skipped"
    )
