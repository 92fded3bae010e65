"""Results of smoke trials: status, table, Markdown and JUnit XML."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from nnrun.cli import console, smoke
from nnrun.cli.smoke import SmokeProgress, SmokeResult, run_one
from nnrun.errors import RunError
from nnrun.runs import Run
from nnrun.spec.loading import load
from nnrun.training.backend import Interrupts

IRIS = Path(__file__).parents[2] / "configs" / "iris.yaml"
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Finished(Run):
    """A finished run."""

    def read_json(self, name: str) -> dict[str, int]:
        return {"epochs": 1}


@pytest.fixture
def attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SmokeResult]:
    """The result of a trial that raises an error, or none, after it swallowed an interrupt."""

    def attempt(error: BaseException | None, *, interrupt: bool = False) -> SmokeResult:
        def run_trial(*_: object, **__: object) -> Run:
            if interrupt:
                with suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
            if error:
                raise error
            return Finished(tmp_path)

        monkeypatch.setattr("nnrun.experiment.smoke.run_trial", run_trial)
        result = SmokeResult("iris.yaml", "iris")
        with SmokeProgress(1) as progress, Interrupts() as interrupts:
            run_one(load(IRIS), result, tmp_path, 0.0, progress, interrupts, synthetic=False)
        return result

    return attempt


def test_a_bug_is_reported_with_its_traceback(attempt: Any) -> None:
    result = attempt(ZeroDivisionError("ours"))

    assert (result.status, result.code) == ("failed", 1)
    assert result.errors == ("ZeroDivisionError('ours')",)
    assert result.trace.startswith("Traceback (most recent call last):\n")
    assert result.trace.endswith("ZeroDivisionError: ours\n")


def test_a_user_error_has_no_traceback(attempt: Any) -> None:
    result = attempt(RunError("model.keras: is missing"))

    assert (result.status, result.errors) == ("failed", ("model.keras: is missing",))
    assert result.trace == ""


def test_a_passed_trial_has_metrics_and_signal_handlers_are_restored(attempt: Any) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    result = attempt(None)

    assert (result.status, result.metrics, result.data) == ("passed", {"epochs": 1}, "real")
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("error", [None, SystemError("bad argument"), RunError("torn")], ids=repr)
def test_an_interrupt_that_became_another_error_ends_the_trials(
    error: Exception | None, attempt: Any, request: pytest.FixtureRequest
) -> None:
    """TensorFlow turns Ctrl-C into another error while it traces a function."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with pytest.raises(KeyboardInterrupt):
        attempt(error, interrupt=True)


def test_an_ignored_signal_stays_ignored(attempt: Any) -> None:
    """Ctrl-C is ignored in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert attempt(None, interrupt=True).status == "passed"
    finally:
        signal.signal(signal.SIGINT, before)


RESULTS = [
    SmokeResult("a.yaml", "a", smoke.PASSED, "synthetic", 1.5, skipped=("expect",)),
    SmokeResult("b|c.yaml", "b", smoke.FAILED, "real", 0.25, ("<loss> & [\x1b[1mcolour\x00]",)),
    SmokeResult("d.yaml", "", smoke.REFUSED, errors=("d.yaml:1:1: NN101 x", "d.yaml:2:1: NN102 y")),
    SmokeResult("e.yaml", "e", smoke.FAILED, "real", 1.0, ("KeyError('x')",), trace="Traceback …"),
    SmokeResult("f.yaml", "f", smoke.INTERRUPTED, "real", 2.0),
    SmokeResult("g.yaml", "g"),
]


def test_the_table_has_a_row_per_spec_then_the_errors_and_a_total() -> None:
    out = io.StringIO()
    smoke.show(RESULTS, console.stderr(out), seconds=3.04)
    lines = out.getvalue().splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]

    assert rows == [
        ["a.yaml", "synthetic rows", "1.50", "passed, expect skipped"],
        ["b|c.yaml", "real rows", "0.25", "failed"],
        ["d.yaml", "", "", "refused"],
        ["e.yaml", "real rows", "1.00", "failed"],
        ["f.yaml", "real rows", "2.00", "interrupted"],
        ["g.yaml", "", "", "not tried"],
    ]
    assert lines[-5:] == [
        "b|c.yaml: <loss> & [␛[1mcolour␀]",
        "d.yaml:1:1: NN101 x",
        "d.yaml:2:1: NN102 y",
        "e.yaml: KeyError('x')",
        "1 of 6 passed in 3.0 s",
    ]


def test_markdown_escapes_bars_and_brackets() -> None:
    assert smoke.markdown(RESULTS[:3], seconds=3.04) == (
        "### nnrun smoke\n\n"
        "| spec | data | seconds | result |\n"
        "| --- | --- | ---: | --- |\n"
        "| a.yaml | synthetic rows | 1.50 | passed, expect skipped |\n"
        "| b\\|c.yaml | real rows | 0.25 | failed |\n"
        "| d.yaml |  |  | refused |\n\n"
        "- b\\|c.yaml: &lt;loss> &amp; \\[␛\\[1mcolour␀\\]\n"
        "- d.yaml:1:1: NN101 x\n"
        "- d.yaml:2:1: NN102 y\n\n"
        "1 of 3 passed in 3.0 s\n"
    )


def test_each_status_has_its_exit_code() -> None:
    assert [result.code for result in RESULTS] == [0, 1, 2, 1, 1, 1]


def test_junit_has_counts_and_a_case_per_spec() -> None:
    """A failed trial is a failure; a refused spec or a bug is an error."""
    began = datetime(2026, 1, 2, 3, 4, 5)
    root = ElementTree.fromstring(smoke.junit_xml(RESULTS, began=began))
    [suite] = root
    counts = {"tests": "6", "failures": "1", "errors": "2", "time": "4.750"}
    elements = [(element.tag, element.get("message")) for case in suite for element in case]

    assert (root.tag, root.attrib) == ("testsuites", {"name": "nnrun smoke", **counts})
    assert suite.attrib == {
        **counts,
        "name": "nnrun.smoke",
        "skipped": "2",
        "timestamp": "2026-01-02T03:04:05",
        "hostname": suite.attrib["hostname"],
    }
    assert [case.attrib for case in root.iter("testcase")] == [
        {"name": result.spec, "classname": "nnrun.smoke", "time": f"{result.seconds:.3f}"}
        for result in RESULTS
    ]
    assert [element for element in elements if element[0] != "system-out"] == [
        ("failure", "<loss> & [\ufffd[1mcolour\ufffd]"),
        ("error", "d.yaml:1:1: NN101 x; d.yaml:2:1: NN102 y"),
        ("error", "KeyError('x')"),
        ("skipped", "interrupted"),
        ("skipped", "not tried"),
    ]
    assert [element.text for element in root.iter("error")] == [
        "d.yaml:1:1: NN101 x\nd.yaml:2:1: NN102 y",
        "Traceback …",
    ]
    assert root.findtext(".//testcase[@name='a.yaml']/system-out") == (
        "synthetic rows\nexpect skipped"
    )
