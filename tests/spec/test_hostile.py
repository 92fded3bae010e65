"""A spec of a stranger runs no code, needs little memory and shows no files except specs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnrun.errors import SpecError
from nnrun.spec.loading import load
from nnrun.spec.rendering import render

GOOD = """\
dataset: {name: digits, prepare: [{rescale: 16}, flatten]}
model:
  - Dense: {units: 10, activation: softmax}
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 1}
"""
MOST_MEMORY = 200.0  # megabytes above what reading an ordinary spec takes
LONGEST = 1.0  # seconds


def faults(path: Path, *overrides: str) -> list[str]:
    """The text of each fault."""
    with pytest.raises(SpecError) as refusal:
        load(path, overrides=overrides)
    return [render(fault) for fault in refusal.value.faults]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to write into."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(text: str | bytes, name: str = "a.yaml") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_tag_runs_nothing() -> None:
    text = f"{GOOD}description: !!python/object/apply:os.mkdir [canary]\n"
    [fault, *_] = faults(written(text))

    assert fault.startswith("a.yaml:5:14: NN006 description: tags such as ")
    assert not Path("canary").exists()
    assert faults(written(GOOD), "seed=!!python/object/apply:os.mkdir [canary]")[0].startswith(
        "--set:1:6: NN009 seed: tags such as "
    )
    assert not Path("canary").exists()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b'"\\ud800"', "a.yaml:5:17: NN002: not YAML: found invalid Unicode character escape code"),
        (b"\xed\xa0\x80", "a.yaml:5:14: NN001: is not UTF-8 text; save it as UTF-8 (byte 0xed)"),
    ],
)
def test_a_surrogate_is_refused_at_its_place(value: bytes, fault: str) -> None:
    assert faults(written(GOOD.encode() + b"description: " + value))[0].startswith(fault)


NAMES = [
    *("../../x", "/etc/x", "a/b", ".", "..", ".x", "x.", "x..", "-x", "a\\b", "C:x", "a:b", "'x '", '" x"'),
    *("x" * 81, "x" * 300, '"x\\n"', '"a\\tb"', '"a\\0"', "nаme", "e\u0301", "😀", "漢字", "com¹", "CONIN$"),
    *("a b", "a*b", "a?b", "'~'", "a|b", "<b>"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_that_is_not_valid_for_a_folder_is_refused(name: str) -> None:
    """It is part of the run folder's name, on every system."""
    [in_file] = faults(written(f"{GOOD}name: {name}\n"))
    [on_line] = faults(written(GOOD), f"name={name}")

    assert in_file.startswith("a.yaml:5:7: NN111 name: must be 1 to 80 letters, digits, ")
    assert on_line.startswith("--set:1:6: NN111 name: must be 1 to 80 letters, digits, ")


@pytest.mark.parametrize("stem", ["CON", "x..", "..", "-", "漢字", "x" * 200, "a\x1b[31m", "."])
def test_every_file_name_gives_a_valid_name(stem: str) -> None:
    name = load(written(GOOD, f"{stem}.yaml")).experiment.name

    assert load(written(f"{GOOD}name: {name}\n")).experiment.name == name


SECRETS = {
    "a password": "root:SECRET:1:2:3\n",
    "a word": "SECRET\n",
    "settings": "TOKEN: SECRET\nuser: SECRET\n",
    "nested settings": "ours:\n  model: SECRET\n  dataset: SECRET\n",
    "settings that are no YAML": "TOKEN: [SECRET\n",
    "a list": "- SECRET\n",
    "with a NUL byte": "SECRET\0SECRET\n",
    "with a tag": "TOKEN: !x SECRET\n",
    "Latin-1": b"TOKEN: SECRET\xe9\n",
    "UTF-16": "TOKEN: SECRET".encode("utf-16"),
    "too much": "SECRET: [" + "1," * 60_000 + "]\n",
}


@pytest.mark.parametrize("secret", SECRETS)
def test_no_text_of_a_file_that_is_not_a_spec_is_shown(secret: str) -> None:
    """Logs of continuous integration are often public."""
    written(SECRETS[secret], "secrets.yaml")
    [fault, *more] = faults(written(f"extends: ../secrets.yaml\n{GOOD}", "in/a.yaml"))

    assert not more
    assert "SECRET" not in fault
    assert fault.startswith(
        "in/a.yaml:1:10: NN008 extends: '../secrets.yaml' is not a spec: it has no key dataset, model, "
        "training, validation or extends; its content is not shown\n"
    )


@pytest.mark.parametrize(
    "base",
    [GOOD, "seed: 3\n", '{"seed": 3, "dataset": {"name": "digits"}}', "expect: {loss: '< 1'}\n"],
    ids=["a whole one", "a seed", "JSON", "gates"],
)
def test_a_spec_or_a_part_of_one_in_another_folder_can_be_extended(base: str) -> None:
    written(base, "base.yaml")

    assert load(written(f"extends: ../base.yaml\n{GOOD}", "in/a.yaml"))


@pytest.mark.parametrize(
    "text", ["modl: 1\ndataset: {name: digits}\n", "model: [digits\n", "model:\n  - Dens: 1\n"]
)
def test_a_spec_with_faults_is_still_quoted(text: str) -> None:
    written(text, "base.yaml")

    lines = faults(written("extends: base.yaml\nseed: 1"))

    assert any(fault.startswith("base.yaml:") and "\n    " in fault for fault in lines)


@pytest.mark.parametrize(
    "name",
    [
        *("/etc/shadow", "/etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/environ", "/", "~/a.yaml"),
        *("~root/a.yaml", "http://x.org/a.yaml", "file:///etc/passwd", "file:/etc/passwd", "C:/a.yaml"),
        *("'C:\\a.yaml'", "'\\\\host\\a.yaml'", "'\\a.yaml'", "[a.yaml]", "{a: b}", "3", "''", "null"),
    ],
)  # fmt: skip
def test_only_a_relative_path_can_be_extended(name: str) -> None:
    """Others would not work on another machine."""
    [fault] = faults(written(f"{GOOD}extends: {name}\n"))

    assert "NN008 extends: must be one file, relative to this one\n" in fault


def test_only_regular_files_can_be_extended_and_nothing_blocks() -> None:
    os.mkfifo("pipe.yaml")
    Path("zero.yaml").symlink_to("/dev/zero")
    Path("folder.yaml").mkdir()
    Path("round.yaml").symlink_to("round.yaml")
    written("seed: 1", "plain.txt")

    for name, reason in {
        "pipe.yaml": "'pipe.yaml' is a pipe or a device, not a file",
        "zero.yaml": "'zero.yaml' is a pipe or a device, not a file",
        "folder.yaml": "'folder.yaml' is a folder, not a file",
        "round.yaml": "no file 'round.yaml' can be read",
        "plain.txt": "'plain.txt' does not end in .yaml or .yml",
        "x" * 5000: f"no file '{'x' * 58}… can be read",
        "a.yaml": "'a.yaml' leads back to itself",
    }.items():
        [fault] = faults(written(f"extends: {name}\n{GOOD}"))
        assert fault.startswith(f"a.yaml:1:10: NN008 extends: {reason}\n")


def test_a_link_to_another_kind_of_file_is_not_followed() -> None:
    """A repository may contain links, and `nnrun check *.yaml` follows them."""
    written("root:SECRET:1\n", "shadow")
    Path("b.yaml").symlink_to("shadow")

    assert faults(Path("b.yaml")) == ["b.yaml:1:1: NN001: is a link to a file that is not YAML"]
    assert faults(written(f"extends: b.yaml\n{GOOD}")) == [
        "b.yaml:1:1: NN001: is a link to a file that is not YAML"
    ]


def test_a_pipe_or_device_is_refused_and_nothing_blocks() -> None:
    os.mkfifo("pipe.yaml")

    assert faults(Path("pipe.yaml")) == ["pipe.yaml:1:1: NN001: is a pipe or a device, not a file"]
    assert faults(Path("/dev/zero"))[0].startswith(
        "/dev/zero:1:1: NN007: larger than 1,000,000 bytes"
    )


def test_a_spec_can_be_piped_in() -> None:
    read, write = os.pipe()
    os.write(write, GOOD.encode())
    os.close(write)

    assert load(Path(f"/dev/fd/{read}"))


def test_a_chain_of_files_ends() -> None:
    for number in range(30):
        written(f"extends: {number + 1}.yaml\nseed: 1\n", f"{number}.yaml")
    written(GOOD, "30.yaml")

    assert faults(Path("0.yaml"))[0].startswith(
        "19.yaml:1:10: NN008 extends: more than 20 files extend each other\n"
    )
    assert load(Path("11.yaml"))


def test_values_of_all_extended_files_are_counted_together() -> None:
    for number in range(5):
        values = "1," * 12_000
        written(f"extends: {number + 1}.yaml\nlint: [{values}]\n", f"{number}.yaml")
    written(GOOD, "5.yaml")

    assert "4.yaml:2:" in (fault := faults(Path("0.yaml"))[0])
    assert "NN007" in fault


def bomb(levels: int) -> str:
    lines = (f"- &b{n + 1} [{', '.join([f'*b{n}'] * 8)}]" for n in range(levels))
    return "description:\n- &b0 [x, x, x, x, x, x, x, x]\n" + "\n".join(lines)


BOMBS = {
    "aliases": bomb(20),
    "long text by alias": f"description: &a {'x' * 900_000}\nseed: [{'*a,' * 9}]",
    "100 MB": "#" * 100_000_000,
    "brackets": "seed: " + "[" * 100_000,
    "closed brackets": "seed: " + "[" * 100_000 + "]" * 100_000,
    "braces": "seed: " + "{a: " * 100_000 + "}" * 100_000,
    "dashes": "seed:\n  " + "- " * 100_000 + "x",
    "question marks": "seed:\n  " + "? " * 100_000 + "x",
    "items": f"seed: [{'1,' * 490_000}]",
    "keys": "\n".join(f"k{n}: 1" for n in range(90_000)),
    "anchors": f"seed: [{','.join(f'&a{n} 1' for n in range(90_000))}]",
    "faults": "callbacks:\n" + "- Dens: 1\n" * 90_000,
    "layers": GOOD.replace("model:\n", "model:\n" + "  - Dense: 1\n" * 60_000),
    "a quoted text": "seed: '" + "'' " * 300_000,
    "a number": "seed: " + "9" * 900_000,
    "a name": "name: " + "x" * 900_000,
    "a key": "x" * 900_000 + ": 1",
    "line ends": "seed: x" + "\n" * 900_000,
}  # fmt: skip

MEASURED = """
import json, re, sys, time
from pathlib import Path
from nnrun.errors import SpecError
from nnrun.spec.loading import load
from nnrun.spec.rendering import render

def most():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e3

load(Path("good.yaml"))
results = {}
for path in sorted(Path("bombs").iterdir()):
    before, began = most(), time.process_time()
    try:
        load(path)
        lines = []
    except SpecError as error:
        lines = [render(fault) for fault in error.faults]
    results[path.stem] = [time.process_time() - began, most() - before, lines]
print(json.dumps(results))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_no_bomb_takes_a_second_or_much_memory() -> None:
    """All in one process, which must not grow either."""
    written(GOOD, "good.yaml")
    for name, text in BOMBS.items():
        written(text, f"bombs/{name}.yaml")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True
    )
    results = json.loads(done.stdout)

    assert results.keys() == BOMBS.keys()
    assert {name for name, (_, _, lines) in results.items() if not 1 <= len(lines) <= 101} == set()
    assert max(seconds for seconds, _, _ in results.values()) < LONGEST
    assert sum(memory for _, memory, _ in results.values()) < MOST_MEMORY
    assert max(len(line) for _, _, lines in results.values() for line in lines) < 1000
