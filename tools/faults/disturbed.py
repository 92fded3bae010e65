"""What is disturbed, and what must be so of a run afterwards, whatever call of it went wrong."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import specs
from folders import contents, differences, final
from forkserver import Answer, ForkServer
from injector import Action, Call, Fault

KILLS = (Action.KILL, Action.HALF_THEN_KILL)
PERSISTENT = (Action.FAIL_ON, Action.HALF_THEN_FAIL)
MATTERING = ("open", "write", "rename", "link", "fsync", "truncate")


@dataclass(frozen=True)
class Subject:
    """A command that writes a run folder.

    Args:
        verb: `train` or `kfold`.
        spec: of the experiment.
        stopped: the run is begun and killed first, and the command goes on with it.
    """

    name: str
    verb: str
    spec: Mapping[str, Any]
    stopped: bool = False

    def begin(self, server: ForkServer, folder: Path) -> None:
        """Writes the spec; where the command goes on with a run, begins that and kills it."""
        path = specs.written(folder, self.name, dict(self.spec))
        self._place(folder).mkdir()
        if not self.stopped:
            shutil.copy(path, self._place(folder))
            return
        root = self._place(folder)
        counted = server.run(self.verb, path, "--runs", folder / "counted", watched=folder)
        fault = Fault(_middle(counted.calls), Action.KILL)
        server.run(self.verb, path, "--runs", root, watched=folder, fault=fault)

    def _place(self, folder: Path) -> Path:
        return folder / f"{self.name}.begun"

    def lay(self, root: Path) -> Sequence[object]:
        """Puts what the command starts from into an empty folder; returns its arguments."""
        begun = self._place(root.parent)
        if not self.stopped:
            return self.verb, begun / f"{self.name}.yaml", "--runs", root / "runs"
        shutil.copytree(begun, root / "runs")
        return "resume", next((root / "runs").iterdir())


def _middle(calls: Sequence[Call]) -> int:
    """The number of a call after half of the epochs, or folds, are in the journal."""
    journals = [call for call in calls if call.path.name == "history.csv" or call.name == "mkdir"]
    return journals[len(journals) // 2].number + 1


CALLBACKS = specs.with_callbacks(specs.DIGITS, *specs.WRITING, specs.STOPPING)
MADE = {
    subject.name: subject
    for subject in (
        Subject("digits", "train", specs.DIGITS),
        Subject("callbacks", "train", CALLBACKS),
        Subject("boston", "train", specs.BOSTON),
        Subject("kfold", "kfold", specs.BOSTON),
        Subject("resumed", "train", CALLBACKS, stopped=True),
        Subject("resumed-kfold", "kfold", specs.BOSTON, stopped=True),
    )
}
"""All that can be disturbed, by name."""


def complaints(answer: Answer, fault: Fault, root: Path, known: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with how a disturbed command ended and what it left, as sentences.

    Args:
        answer: how it ended.
        fault: what went wrong on purpose.
        root: the folder that all runs are under.
        known: what an undisturbed run says, of `folders.contents`.
    """
    yield from _of_the_end(answer, fault)
    yield from _of_the_words(answer, fault)
    for record in root.glob("runs/*/run.json"):
        yield from _of_the_folder(record.parent, answer, fault, known)
    for log in root.rglob("log.txt"):
        text = log.read_text(errors="replace")
        # Whatever a callback of Keras's raises is kept whole in the log.
        if "Traceback" in text and "/keras/" not in text:
            yield f"a traceback in the log: {text.splitlines()[-1]}"


def _of_the_end(answer: Answer, fault: Fault) -> Iterator[str]:
    if answer.code is None:
        yield "did not end"
    elif fault.action in KILLS and len(answer.calls) <= fault.number:
        if answer.code not in (-9, 0):
            yield f"ended with {answer.code}"
    elif answer.code not in (0, 1, 2):
        yield f"ended with {answer.code}"
    if "Traceback" in answer.err:
        yield f"a traceback: {answer.err.strip().splitlines()[-1]}"


def _of_the_words(answer: Answer, fault: Fault) -> Iterator[str]:
    """One line that names the file and the reason, where a call has failed."""
    failed = _failed(answer.calls, fault)
    lines = [line for line in answer.err.splitlines() if line.startswith("error:")]
    if answer.code in (1, 2) and len(lines) != 1:
        yield f"says {len(lines)} lines of errors: {lines or answer.err[-300:]}"
    if not failed or "Traceback" in answer.err:
        return
    reason = os.strerror(fault.error)
    if answer.code == 0 and reason not in answer.err:
        yield f"did not say that it could not {failed.name} {final(failed.path).name}"
    elif answer.code and lines and not _names(lines[0], answer.calls[fault.number - 1 :], reason):
        yield f"does not name the file and the reason: {lines[0]}"


def _failed(calls: Sequence[Call], fault: Fault) -> Call | None:
    """The first call that failed and mattered: tidying up does not, nor making what is there."""
    if fault.action in (*KILLS, Action.HALF_ONCE):
        return None
    later = calls[fault.number - 1 :]
    if fault.action not in PERSISTENT:
        # Whoever tries again at once has not failed.
        again = len(later) > 1 and (later[0].name, later[0].path) == (later[1].name, later[1].path)
        later = [] if again and later[0].name == "open" else later[:1]
    return next((call for call in later if call.name in MATTERING), None)


def _names(line: str, failed: Sequence[Call], reason: str) -> bool:
    """Whether the reason is there, and a file of a call that failed, or its folder."""
    files = {final(call.path).name for call in failed} | {str(call.path.parent) for call in failed}
    return reason in line and any(file in line for file in files)


def _of_the_folder(
    run: Path, answer: Answer, fault: Fault, known: Mapping[str, Any]
) -> Iterator[str]:
    found, broken = contents(run)
    yield from (each for each in broken if not _is_excused(each, answer, fault))
    yield from differences(found, known, whole=answer.code == 0)
    status = json.loads((run / "run.json").read_text())["status"]
    if status == "running" and answer.code != -9 and not _could_not_say(answer.calls, fault):
        yield "run.json says that it is running"


def _is_excused(broken: str, answer: Answer, fault: Fault) -> bool:
    """What nobody could have prevented: a process that is gone, or that may not delete, tidies not."""
    passing = "a passing file" in broken
    gone = answer.code == -9
    locked = fault.action is Action.FAIL_ON and fault.error == errno.EROFS
    # Keras adds lines to it one by one.
    halved = "own.csv" in broken
    return (passing and (gone or locked)) or (gone and halved)


def _could_not_say(calls: Sequence[Call], fault: Fault) -> bool:
    """Whether the record itself could not be written."""
    later = calls[fault.number - 1 :]
    failed = later if fault.action in PERSISTENT else later[:1]
    return any("run." in call.path.name for call in failed)
