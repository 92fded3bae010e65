"""JUnit XML as CI services read it."""

from __future__ import annotations

from datetime import datetime
from xml.etree import ElementTree

import pytest

from nnrun.cli import smoke
from nnrun.cli.smoke import SmokeResult

TRIALS = [
    SmokeResult("a.yaml", "a", smoke.PASSED, "synthetic", 1.5, skipped=("expect",)),
    SmokeResult("b.yaml", "b", smoke.FAILED, "real", 0.25, ("<loss> & \x1b[1mcolour\x00",)),
    SmokeResult("c & d.yaml", "", smoke.REFUSED, errors=("c.yaml:1:1: NN101 x", "c.yaml:2:1: y")),
    SmokeResult("e.yaml", "e", smoke.FAILED, "real", 1.0, ("KeyError('x')",), trace="Traceback …"),
    SmokeResult("f.yaml", "f", smoke.INTERRUPTED, "real", 2.0),
    SmokeResult("g.yaml", "g"),
]


@pytest.fixture
def root() -> ElementTree.Element:
    return ElementTree.fromstring(smoke.document(TRIALS, began=datetime(2026, 1, 2, 3, 4, 5)))


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
        for each in TRIALS
    ]


def test_what_did_not_pass_is_said_with_its_kind(root: ElementTree.Element) -> None:
    """A failure is the experiment's; an error is the spec's or ours."""
    said = [(sign.tag, sign.get("message")) for case in root.iter("testcase") for sign in case]

    assert [one for one in said if one[0] != "system-out"] == [
        ("failure", "<loss> & \ufffd[1mcolour\ufffd"),
        ("error", "c.yaml:1:1: NN101 x; c.yaml:2:1: y"),
        ("error", "KeyError('x')"),
        ("skipped", "interrupted"),
        ("skipped", "not tried"),
    ]


def test_a_fault_of_ours_keeps_its_traceback(root: ElementTree.Element) -> None:
    texts = [sign.text for sign in root.iter("error")]

    assert texts == ["c.yaml:1:1: NN101 x\nc.yaml:2:1: y", "Traceback …"]


def test_made_up_rows_and_what_was_skipped_are_said(root: ElementTree.Element) -> None:
    assert root.findtext(".//testcase[@name='a.yaml']/system-out") == (
        "synthetic rows\nexpect skipped"
    )
