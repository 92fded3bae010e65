"""The trials of a smoke run as JUnit XML, which CI services show."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree

from nnrun import inert
from nnrun.cli import tried
from nnrun.cli.tried import Tried

SUITE = "nnrun.smoke"
# XML 1.0 has no way to write most control characters.
_UNWRITABLE = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(trials: Sequence[Tried], *, began: datetime) -> str:
    """One test suite, one test case per spec.

    A failed trial is a `failure`, a refused spec and a fault of ours an `error`, and a spec that was
    not tried to its end is `skipped`.

    Args:
        trials: in the order of the command.
        began: the local time.
    """
    suite = ElementTree.Element("testsuite", name=SUITE, hostname=platform.node())
    suite.set("timestamp", began.isoformat(timespec="seconds"))
    suite.extend(_case(each) for each in trials)
    _count(suite, trials)
    root = ElementTree.Element("testsuites", name="nnrun smoke")
    _count(root, trials)
    del root.attrib["skipped"]  # which only a suite counts
    root.append(suite)
    ElementTree.indent(root)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        + ElementTree.tostring(root, encoding="unicode")
        + "\n"
    )


def _count(element: ElementTree.Element, trials: Sequence[Tried]) -> None:
    kinds = [_kind(each) for each in trials]
    element.set("tests", str(len(trials)))
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(kinds.count(kind)))
    element.set("time", f"{sum(each.seconds for each in trials):.3f}")


def _case(each: Tried) -> ElementTree.Element:
    case = ElementTree.Element("testcase", name=_writable(each.spec), classname=SUITE)
    case.set("time", f"{each.seconds:.3f}")
    kind = _kind(each)
    if kind:
        sign = ElementTree.SubElement(
            case, kind, message=_writable("; ".join(each.errors) or each.status)
        )
        if kind != "skipped":
            sign.set("type", each.status)
            sign.text = _writable(each.trace or "\n".join(each.errors))
    said = "\n".join(filter(None, [each.rows, *(f"{key} skipped" for key in each.skipped)]))
    if said:
        ElementTree.SubElement(case, "system-out").text = _writable(said)
    return case


def _kind(each: Tried) -> str | None:
    if each.status in (tried.INTERRUPTED, tried.UNTRIED):
        return "skipped"
    if each.status == tried.REFUSED or each.trace:
        return "error"
    return "failure" if each.status == tried.FAILED else None


def _writable(text: str) -> str:
    return inert.text(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text))
