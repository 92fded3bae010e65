"""Where the tests find the published data files, and that they never touch a person's own."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import itertools
import json
import multiprocessing.util
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from forkserver import ForkServer
from typer.testing import CliRunner, Result

from nnrun.cli.app import app
from nnrun.cli.entry import collect_seldom

Answer = subprocess.CompletedProcess[str]

PUBLISHED = Path(__file__).parents[2] / "shared" / "keras-home" / "datasets"


# At once and not in a hook: a `conftest.py` below may import Keras, which then settles on a folder.
HOME = Path(tempfile.mkdtemp(prefix="nnrun-keras-home-"))
os.environ["KERAS_HOME"] = str(HOME)
# Links, because Keras writes into the folder and deletes what it takes for outdated.
for _file in PUBLISHED.rglob("*.*"):
    _link = HOME / "datasets" / _file.relative_to(PUBLISHED)
    _link.parent.mkdir(parents=True, exist_ok=True)
    _link.symlink_to(_file)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--quick`."""
    text = "skip what starts a process or loads TensorFlow"
    parser.addoption("--quick", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Removes the `KERAS_HOME` of this process at the end."""
    config.add_cleanup(lambda: shutil.rmtree(HOME, ignore_errors=True))


def pytest_collection(session: pytest.Session) -> None:
    """Applies `--quick`."""
    # The process that only distributes tests must start others.
    if session.config.getoption("quick") and not session.config.getoption("numprocesses", None):
        sys.addaudithook(_skip_what_takes_long)
        multiprocessing.util.spawnv_passfds = lambda *_: _skip("starts a process")


def _skip_what_takes_long(event: str, arguments: tuple[Any, ...]) -> None:
    """Skips the test, or the file, that Python reports this event of."""
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
        _skip("starts a process")
    if event == "import" and arguments[0] == "tensorflow":
        _skip("loads TensorFlow")


def _skip(reason: str) -> None:
    raise pytest.skip.Exception(f"--quick: {reason}", allow_module_level=True)


def pytest_collection_finish() -> None:
    """What is loaded by now is no garbage, and Keras looks for some whenever it begins anew."""
    gc.freeze()
    # As the command does.
    collect_seldom()


@pytest.fixture
def full_data() -> None:
    """Asks for the files behind `keras.datasets`, which are too large to come with the tests."""
    if not PUBLISHED.is_dir():
        pytest.skip("no keras-home beside the checkout")


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """What a person's shell hands on, without what would change how the command answers."""
    ours = ("NNRUN_RUNS", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "CLICOLOR_FORCE", "TTY_COMPATIBLE")
    return {name: value for name, value in os.environ.items() if name not in ours}


@pytest.fixture(scope="session")
def forks(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ForkServer]:
    """Starts commands in forks of a process that has loaded TensorFlow, which saves 5 s each."""
    folder = tmp_path_factory.mktemp("forks")
    with ForkServer(folder, environment=environment, fork_workers=True) as server:
        yield server


@pytest.fixture(scope="session")
def invoke() -> Callable[..., Result]:
    """Runs the command in this process, which loads TensorFlow once."""

    def run(*arguments: object, **options: Any) -> Result:
        result = CliRunner().invoke(app, [*map(str, arguments)], **options)
        assert isinstance(result.exception, SystemExit | None), result.exc_info
        return result

    return run


@pytest.fixture(scope="session")
def nnrun(environment: dict[str, str], request: pytest.FixtureRequest) -> Callable[..., Answer]:
    """Runs the command as a script would: off a terminal, each stream by itself."""

    def run(
        *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Answer:
        if sys.platform == "linux":
            process = request.getfixturevalue("forks").start(*arguments, cwd=cwd, env=env)
            out, err = process.communicate(timeout=300)
            return Answer(arguments, process.returncode, out, err)
        return subprocess.run(
            [sys.executable, "-m", "nnrun", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environment | dict(env or {}),
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def configs() -> Path:
    """The specs that are shipped."""
    return Path(__file__).parents[1] / "configs"


@pytest.fixture(scope="session")
def run_once(
    nnrun: Callable[..., Answer], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[Answer, Path]]:
    """Runs a command once for all processes of this session, which must not change its runs."""
    base = tmp_path_factory.getbasetemp()
    # Every worker of pytest-xdist has a folder of its own in that of the session.
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def run(name: str, *arguments: object) -> tuple[Answer, Path]:
        root, kept = base / name, base / f"{name}.pickle"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                kept.write_bytes(pickle.dumps(nnrun(*arguments, "--runs", root)))
        return pickle.loads(kept.read_bytes()), root

    return run


@pytest.fixture(scope="session")
def trained(run_once: Callable[..., tuple[Answer, Path]], configs: Path) -> tuple[Answer, Path]:
    """The digits experiment, three epochs: what the command answered, and the run folder."""
    spec = configs / "digits.yaml"
    answer, root = run_once("trained", "train", spec, "--set", "training.epochs=3")
    return answer, next(root.iterdir())


LOGITS = """\
name: logits
dataset: {name: digits, prepare: [{rescale: 16}, flatten]}
model:
  - Dense: 10
training:
  optimizer: adam
  loss: {SparseCategoricalCrossentropy: {from_logits: true}}
  metrics: [accuracy]
  epochs: 2
"""


@pytest.fixture(scope="session")
def three(
    run_once: Callable[..., tuple[Answer, Path]],
    configs: Path,
    trained: tuple[Answer, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Answer, Path]:
    """One command with three specs and `--json`, and the folder of its runs.

    They are the spec that the digits run left behind, one with logits, and boston.
    """
    logits = tmp_path_factory.mktemp("specs") / "logits.yaml"
    logits.write_text(LOGITS)
    specs = (trained[1] / "spec.yaml", logits, configs / "boston.yaml")
    return run_once("three", "train", *specs, "--json", "--set", "training.epochs=3")


PROBE = """
import json, os, sys, traceback
from nnrun.cli.app import app

for line in sys.stdin:
    arguments, folder, stem, asked = json.loads(line)
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    code = 1
    try:
        os.chdir(folder)
        for number, name in enumerate(("in", "out", "err")):
            os.dup2(os.open(f"{stem}.{name}", os.O_RDWR | os.O_CREAT), number)
        sys.argv = ["nnrun", *arguments]
        app()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        heavy = {"tensorflow", "keras", "pandas", "matplotlib", "sklearn", *asked.split()}
        with open(f"{stem}.loaded", "w") as file:
            json.dump(sorted(heavy & set(sys.modules)), file)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
"""


@pytest.fixture(scope="session")
def probed(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., tuple[Answer, set[str]]]]:
    """Runs the command and says which of the heavy packages were loaded when it ended.

    Those `also` asked for are reported as well. Each command is a fork of a process that has loaded
    no more than the list of verbs.
    """
    stems = (tmp_path_factory.mktemp("probed") / str(number) for number in itertools.count())
    command, pipe = [sys.executable, "-c", PROBE], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as server:
        to, of = server.stdin, server.stdout
        assert to
        assert of

        def run(*arguments: object, cwd: Path, also: str = "") -> tuple[Answer, set[str]]:
            stem = next(stems)
            words = [str(argument) for argument in arguments]
            to.write(json.dumps([words, str(cwd), str(stem), also]) + "\n")
            to.flush()
            code = int(of.readline())
            out, err, loaded = (
                stem.with_suffix(f".{name}").read_text() for name in ("out", "err", "loaded")
            )
            return Answer(arguments, code, out, err), set(json.loads(loaded))

        yield run
        to.close()


class Server:
    """A web server of this machine, which answers with what a test has put there, else with 404.

    `asked` holds the names of all files asked for. While `gate` is closed, an answer gets slow
    after the first half of its bytes.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self._bodies: dict[str, tuple[bytes, int]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def put(self, name: str, body: bytes, *, length: int | None = None) -> None:
        """From now on answers with these bytes, and says that there are `length` of them."""
        self._bodies[name] = body, length or len(body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                server.asked.append(name)
                if name in server._bodies:
                    self.answer(*server._bodies[name])
                else:
                    self.send_error(404)

            def answer(self, body: bytes, length: int) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    sent = self.wfile.write(body[: len(body) // 2])
                    # Slow, but never so slow that whoever asks gives up.
                    while not server.gate.wait(0.1):
                        sent += self.wfile.write(body[sent : sent + 1])
                    self.wfile.write(body[sent:])

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server of this machine, asked without any proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        yield server
