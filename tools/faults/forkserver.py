"""Runs `nnrun` in forks of a process that has loaded TensorFlow: a short run takes 2 s, not 7.

The process loads TensorFlow and does not use it, so a fork computes what a fresh process computes.
This file, started as a script, is that process: it reads one request per line from standard input
and answers each with one number.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing.util
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
from typing import Self

from injector import Call, Fault, arm, read_calls, stop_clock

HEAVY = (
    "tensorflow tensorflow.compat.v1 keras nnrun.experiment.fold nnrun.experiment.recorder "
    "nnrun.spec.expect nnrun.cli.app nnrun.cli.summary nnrun.cli.progress nnrun.cli.train "
    "nnrun.cli.kfold nnrun.cli.worker nnrun.analysis.compare nnrun.data.datasets.scikit_learn "
    "nnrun.plots matplotlib.backends.backend_agg mlxtend.data pooch sklearn.datasets "
    "PIL.PngImagePlugin h5py"
).split()
"""Modules that training loads."""
LIGHT = ("nnrun.cli.summary", "nnrun.analysis.compare", "rich.table")
"""Modules that `list`, `show` and `compare` load."""
PATIENCE = 120.0  # seconds


@dataclass(frozen=True)
class Answer:
    """Result of a command; `code` is minus the signal number if a signal ended it.

    `code` is None if the command took too long and was killed.
    """

    code: int | None
    out: str
    err: str
    calls: list[Call]
    seconds: float


class Pending:
    """A running command, the leader of its own process group; part of it works as `Popen`.

    Args:
        pid: of the process.
        status: waits for its end and returns the exit code.
        stem: of its files: the output `.out` and `.err`, and the calls, `.trace`.
    """

    def __init__(self, pid: int, status: Callable[[], int], stem: str) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._began = time.monotonic()
        self._status = status
        self._stem = stem
        self._handle = os.pidfd_open(pid)

    def ended(self, seconds: float) -> bool:
        """Whether it ends within the given time."""
        return bool(select.select([self._handle], [], [], max(0.0, seconds))[0])

    def send_signal(self, number: int) -> None:
        """Sends a signal to the process alone."""
        signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """Kills its whole process group."""
        os.killpg(self.pid, signal.SIGKILL)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Returns the exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        if self.returncode is None:
            if not self.ended(timeout):
                raise subprocess.TimeoutExpired("nnrun", timeout)
            self.returncode = self._status()
            os.close(self._handle)
        return self.returncode

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        """Waits for the end; returns standard output and standard error."""
        self.wait(timeout)
        out, err = (Path(f"{self._stem}.{name}") for name in ("out", "err"))
        return out.read_text(errors="replace"), err.read_text(errors="replace")

    def answer(self, patience: float = PATIENCE) -> Answer:
        """Waits for the end, and kills a command that takes longer than `patience` seconds."""
        in_time = self.ended(patience)
        if not in_time:
            self.kill()
        out, err = self.communicate()
        code = self.returncode if in_time else None
        calls = read_calls(Path(f"{self._stem}.trace"))
        return Answer(code, out, err, calls, time.monotonic() - self._began)


def start_fresh(folder: Path, *arguments: object) -> Pending:
    """Starts `nnrun` in a new process, as a shell would; its calls cannot be made to fail.

    Args:
        folder: for its output, and for the settings of Keras.
        arguments: of the command.
    """
    stem = tempfile.mktemp(prefix="fresh-", dir=folder)
    Path(f"{stem}.trace").touch()
    with Path(f"{stem}.out").open("w") as out, Path(f"{stem}.err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "nnrun", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=_environment(folder),
            start_new_session=True,
        )
    return Pending(process.pid, process.wait, stem)


def _environment(folder: Path) -> dict[str, str]:
    environment = os.environ | {"KERAS_HOME": str(folder / "keras"), "COLUMNS": "200"}
    environment.pop("NNRUN_RUNS", None)
    return environment


@dataclass(frozen=True)
class Request:
    """A command to fork; the arguments are those of `ForkServer.start`."""

    arguments: list[str]
    stem: str
    cwd: str
    env: dict[str, str]
    fork_workers: bool
    watched: str | None
    fault: Fault
    second: int | None


class ForkServer:
    """The process that is forked.

    Args:
        folder: for the output of the commands, and for the settings of Keras.
        modules: loaded before the first fork.
        shim: the compiled shim, needed for faults.
        environment: of the commands.
        fork_workers: worker processes are forked too, and do not load TensorFlow again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        modules: Sequence[str] = HEAVY,
        shim: Path | None = None,
        environment: Mapping[str, str] | None = None,
        fork_workers: bool = False,
    ) -> None:
        self._folder = folder
        self._fork_workers = fork_workers
        self._lock = threading.Lock()
        environment = dict(environment or _environment(folder))
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
        self._process.communicate()

    def _ask(self, request: Mapping[str, object]) -> int:
        assert self._process.stdin
        assert self._process.stdout
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def start(
        self,
        *arguments: object,
        watched: Path | None = None,
        fault: Fault = Fault(),  # noqa: B008 - frozen
        second: int | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Pending:
        """Starts `nnrun` with these arguments.

        Args:
            arguments: of the command.
            watched: the folder whose calls are counted and can fail.
            fault: the call that fails; none by default.
            second: a fixed time of day, in seconds since 1970.
            cwd: the working directory; by default that of this process.
            env: further variables; Keras and TensorFlow have read theirs before.
        """
        stem = tempfile.mktemp(prefix="forked-", dir=self._folder)
        for name in ("out", "err", "trace"):
            Path(f"{stem}.{name}").touch()
        request = Request(
            [*map(str, arguments)],
            stem,
            str(cwd or Path.cwd()),
            dict(env or {}),
            self._fork_workers,
            str(watched.resolve()) if watched else None,
            fault,
            second,
        )
        pid = self._ask(asdict(request))
        return Pending(pid, lambda: self._ask({"wait": pid}), stem)

    def run(
        self,
        *arguments: object,
        watched: Path | None = None,
        fault: Fault = Fault(),  # noqa: B008 - frozen
    ) -> Answer:
        """Runs `nnrun` to its end; arguments as for `start`."""
        return self.start(*arguments, watched=watched, fault=fault).answer()


def _serve(modules: Sequence[str]) -> None:
    """Forks for each request; ends with its input."""
    # Only answers go to the original standard output: modules may print while they load.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _load(modules)
    for line in sys.stdin:
        request = json.loads(line)
        if pid := request.get("wait"):
            answer = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        else:
            answer = _fork(Request(**request | {"fault": Fault(**request["fault"])}))
        print(answer, file=answers, flush=True)


def _load(modules: Sequence[str]) -> None:
    from nnrun.training import backend

    sys.stderr.flush()
    terminal, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    backend.load()
    for name in modules:
        # `backend` delays the loading of some modules until an attribute is looked up.
        getattr(importlib.import_module(name), "__all__", None)
    os.dup2(terminal, 2)


def _fork(request: Request) -> int:
    """Runs the command in a fork; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _set_up(request)
        from nnrun.cli.entry import main

        main()
    except SystemExit as end:
        _exit(end.code)
    except BaseException:  # noqa: BLE001
        # As Python ends: with a traceback.
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    os._exit(1)


def _exit(code: object) -> None:
    """Ends this process as `sys.exit` would."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _set_up(request: Request) -> None:
    """Makes this fork look like a fresh process that was started from a script."""
    os.setsid()
    os.chdir(request.cwd)
    os.environ.update(request.env)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{request.stem}.{name}", os.O_WRONLY), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", 1)  # noqa: SIM115
    sys.argv = ["nnrun", *request.arguments]
    # A shell that runs the tests in the background ignores both, and a child inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # A spawned worker would run the main module again.
    sys.modules["__main__"] = types.ModuleType("__main__")
    if request.fork_workers:
        multiprocessing.util.spawnv_passfds = _start_worker
    if request.watched:
        arm(request.watched, request.fault, f"{request.stem}.trace")
    if request.second:
        stop_clock(request.second)


_spawn = multiprocessing.util.spawnv_passfds


def _start_worker(path: bytes, arguments: Sequence[str | bytes], kept: Sequence[int]) -> int:
    """Starts a process for `multiprocessing`; a worker is a fork of this one.

    Args:
        path, arguments: the Python program to run.
        kept: file descriptors that the new process inherits.
    """
    program = str(arguments[-2])
    if "spawn_main" not in program:
        return _spawn(path, arguments, kept)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        _reset_process({0, 1, 2, *kept})
        sys.argv = ["-c", str(arguments[-1])]
        exec(program, {})
    except SystemExit as end:
        _exit(end.code)
    os._exit(1)


def _reset_process(kept: set[int]) -> None:
    """Drops the signal handlers, and the files except `kept`, as a new program would."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        # The number stays in use: an object that still refers to it may close it.
        if int(name) not in kept and Path(f"/proc/self/fd/{name}").exists():
            os.dup2(null, int(name))


if __name__ == "__main__":
    _serve(sys.argv[1:])
