"""Runs `nnrun` in forks of one process that has loaded all of it, so that a run takes 2 s, not 6.

Nothing of TensorFlow is used before the fork, so a fork computes what a fresh process computes.
Started as a script this file is that process: it reads a request per line from standard input and
answers with a line.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from injector import Call, Fault, arm, calls, stop_clock

HEAVY = (
    "tensorflow",
    "keras",
    "nnrun.experiment.fold",
    "nnrun.experiment.recorder",
    "nnrun.spec.expect",
    "nnrun.cli.summary",
    "nnrun.cli.progress",
    "nnrun.analysis.compare",
    "matplotlib.backends.backend_agg",
    "PIL.PngImagePlugin",
    "h5py",
)
"""What a training loads."""
LIGHT = ("nnrun.cli.summary", "nnrun.analysis.compare", "rich.table")
"""What `list`, `show` and `compare` load."""
PATIENCE = 120.0  # seconds


@dataclass(frozen=True)
class Answer:
    """How a run of the command ended; `code` is minus the signal's number where one ended it.

    `code` is None where it took too long and was killed.
    """

    code: int | None
    out: str
    err: str
    calls: list[Call]
    seconds: float


class Pending:
    """A run of the command that goes on; its process leads a group of its own.

    Args:
        pid: of the process.
        status: waits for its end and returns the exit code.
        files: where it writes what it prints, `out` and `err`, and the calls, `trace`.
    """

    def __init__(self, pid: int, status: Callable[[], int], files: Mapping[str, str]) -> None:
        self.pid = pid
        self._began = time.monotonic()
        self._status = status
        self._files = files
        self._handle = os.pidfd_open(pid)

    def ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return bool(select.select([self._handle], [], [], max(0.0, seconds))[0])

    def kill(self) -> None:
        """Ends its whole process group at once."""
        os.killpg(self.pid, signal.SIGKILL)

    def answer(self, patience: float = PATIENCE) -> Answer:
        """Waits for the end, and ends what takes longer than `patience` seconds."""
        in_time = self.ended(patience)
        if not in_time:
            self.kill()
        code = self._status()
        seconds = time.monotonic() - self._began
        os.close(self._handle)
        out, err = (Path(self._files[name]).read_text(errors="replace") for name in ("out", "err"))
        trace = calls(Path(self._files["trace"]))
        return Answer(code if in_time else None, out, err, trace, seconds)


def fresh(folder: Path, *arguments: object) -> Pending:
    """Begins to run `nnrun` in a process of its own, as a person would; nothing of it can fail.

    Args:
        folder: for what it prints, and for Keras's settings.
        arguments: of the command.
    """
    stem = tempfile.mktemp(prefix="fresh-", dir=folder)
    files = {name: f"{stem}.{name}" for name in ("out", "err", "trace")}
    with Path(files["out"]).open("w") as out, Path(files["err"]).open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "nnrun", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=_environment(folder),
            start_new_session=True,
        )
    return Pending(process.pid, process.wait, files)


def _environment(folder: Path) -> dict[str, str]:
    environment = os.environ | {"KERAS_HOME": str(folder / "keras"), "COLUMNS": "200"}
    environment.pop("NNRUN_RUNS", None)
    return environment


class ForkServer:
    """The process that is forked, and its end of the line.

    Args:
        folder: for what the runs print, and for Keras's settings.
        modules: loaded before any fork.
        shim: compiled, for `Fault`s.
    """

    def __init__(
        self, folder: Path, *, modules: Sequence[str] = HEAVY, shim: Path | None = None
    ) -> None:
        self._folder = folder
        self._number = 0
        self._lock = threading.Lock()
        environment = _environment(folder)
        if shim:
            environment["LD_PRELOAD"] = str(shim)
        self._process = subprocess.Popen(
            [sys.executable, __file__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Sends a request and returns the answer."""
        assert self._process.stdin
        assert self._process.stdout
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def start(
        self,
        *arguments: object,
        watched: Path | None = None,
        fault: Fault | None = None,
        second: int | None = None,
    ) -> Pending:
        """Begins to run `nnrun` with these arguments.

        Args:
            arguments: of the command.
            watched: the folder under which calls are counted and can fail.
            fault: the call that goes wrong; none by default.
            second: the time of day, which then stands still.
        """
        with self._lock:
            self._number += 1
            stem = self._folder / f"{self._number}"
        files = {name: f"{stem}.{name}" for name in ("out", "err", "trace")}
        request: dict[str, Any] = {"run": [*map(str, arguments)], "files": files}
        if watched:
            request["watched"] = str(watched.resolve())
            request["fault"] = asdict(fault or Fault())
        if second:
            request["second"] = second
        pid = self.ask(request)
        return Pending(pid, lambda: int(self.ask({"wait": pid})), files)

    def run(
        self, *arguments: object, watched: Path | None = None, fault: Fault | None = None
    ) -> Answer:
        """Runs `nnrun` to its end; arguments as of `start`."""
        return self.start(*arguments, watched=watched, fault=fault).answer()


def _serve(modules: Sequence[str]) -> None:
    """Forks as often as it is asked to; ends with its input."""
    # The answers keep this line to themselves: whatever a module prints goes to standard error.
    line = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _load(modules)
    for text in sys.stdin:
        request = json.loads(text)
        answer = _fork(request) if "run" in request else _status(request["wait"])
        line.write(f"{json.dumps(answer)}\n")
        line.flush()


def _load(modules: Sequence[str]) -> None:
    from nnrun.training import backend

    sys.stderr.flush()
    terminal, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    backend.load()
    for module in modules:
        importlib.import_module(module)
    os.dup2(terminal, 2)


def _status(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _fork(request: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        _become(request)
        from nnrun.cli.app import run

        run()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:  # noqa: BLE001
        # As Python ends: with the traceback that no run may show.
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    os._exit(1)


def _become(request: Mapping[str, Any]) -> None:
    """Makes this fork look like a fresh process that was started from a script."""
    os.setsid()
    files = request["files"]
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(files[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", 1)  # noqa: SIM115
    sys.argv = ["nnrun", *request["run"]]
    # A shell that runs the tests in the background has it ignored, and a child inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A worker that is spawned would run the main module again.
    sys.modules["__main__"] = types.ModuleType("__main__")
    if "watched" in request:
        arm(request["watched"], Fault(**request["fault"]), files["trace"])
    if "second" in request:
        stop_clock(request["second"])


if __name__ == "__main__":
    _serve(sys.argv[1:])
