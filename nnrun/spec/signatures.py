"""Names, arguments and documentation of the user's Python code, read without running it."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from nnrun.errors import Fault, Place
from nnrun.spec import catalogue
from nnrun.spec.catalogue import OwnName
from nnrun.spec.code import PACKAGE, CodeFile, is_installed
from nnrun.spec.component import Argument, Entry
from nnrun.spec.text import quote

_SECTION = re.compile(r"^(?:Args|Arguments):\n((?:[ \t]+.*\n|\s*\n)*)", re.MULTILINE)
_ARGUMENT = re.compile(r"\s*\*{0,2}(\w+)(?:, \w+)*\s*(?:\([^)]*\))?\s*:\s*(.*)", re.DOTALL)
# The end of a sentence, but not of an abbreviation.
_END = re.compile(r"(?<=[.;])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\betc\.)(?<!\bal\.)\s|\s- ")
LONGEST = 200  # characters of a sentence shown in an editor

# Base classes by their names in Keras, with a class whose inherited arguments are theirs.
_BASES = {
    **dict.fromkeys(("Layer", "Wrapper", "Model", "Sequential"), ("layers", "Identity")),
    "Loss": ("losses", ""),
    "Metric": ("metrics", ""),
    "Optimizer": ("optimizers", "SGD"),
    "Callback": ("callbacks", ""),
    "Initializer": ("initializers", ""),
    "Regularizer": ("regularizers", ""),
    "Constraint": ("constraints", ""),
    "LearningRateSchedule": ("schedules", ""),
}
_COMMON = {
    "losses": ("name", "reduction", "dtype"),
    "metrics": ("name", "dtype"),
    "optimizers": ("learning_rate", "name", "weight_decay", "clipnorm", "clipvalue"),
}
# Arguments that take a component or a file; in layers also those that end in a suffix.
_KINDS = {
    "layers": dict.fromkeys(
        "layer forward_layer backward_layer layers cell cells".split(), "layers"
    ),
    "optimizers": {"learning_rate": "schedules", "inner_optimizer": "optimizers"},
    "callbacks": {
        "schedule": "schedules",
        **dict.fromkeys("backup_dir directory filename filepath log_dir".split(), "file"),
    },
}
_SUFFIXES = ("activation", "initializer", "regularizer", "constraint")
_JSON = {
    "int": ("integer",),
    "float": ("number",),
    "bool": ("boolean",),
    "str": ("string",),
    **dict.fromkeys("list tuple List Tuple Sequence Iterable set frozenset".split(), ("array",)),
    **dict.fromkeys("dict Dict Mapping".split(), ("object",)),
    "None": ("null",),
}
CALLED = {
    **dict.fromkeys(("activations", "regularizers", "constraints"), 1),
    **dict.fromkeys(("losses", "metrics"), 2),
    "initializers": 2,
    "schedules": 2,
}
"""How many positional arguments a function of a kind is called with."""
DATASETS, STEPS = "datasets", "steps"
"""Kinds of names that Keras does not have."""


def first_sentence(doc: str | None) -> str:
    """The first sentence of a docstring on one line."""
    paragraph = inspect.cleandoc(doc or "").split("\n\n")[0]
    return _END.split(" ".join(paragraph.split()), maxsplit=1)[0]


def argument_docs(doc: str | None) -> Iterator[tuple[str, str]]:
    """The arguments that a docstring describes."""
    section = _SECTION.search(inspect.cleandoc(doc or "") + "\n")
    for part in re.split(r"\n(?=\S)", inspect.cleandoc(section[1]) if section else ""):
        if match := _ARGUMENT.match(part):
            yield match[1], " ".join(match[2].split())


def argument_kind(kind: str, name: str) -> str | None:
    """The kind of component that an argument takes, by its name."""
    suffix = name.rpartition("_")[2]
    if kind == "layers" and suffix in _SUFFIXES:
        return f"{suffix}s"
    return _KINDS.get(kind, {}).get(name)


def short(description: str) -> str:
    """The first sentence of a description, cut if it is long."""
    doc = _END.split(description, maxsplit=1)[0].strip()
    return doc if len(doc) <= LONGEST else f"{doc[: LONGEST - 1].rstrip()}…"


@cache
def read(files: tuple[CodeFile, ...]) -> tuple[Mapping[str, OwnName], tuple[Fault, ...]]:
    """The names in some files, such as `layers.Gate`, and the faults of the files."""
    parsed, faults = {}, []
    for file in files:
        try:
            parsed[file.module] = _Module(file, ast.parse(file.content))
        except SyntaxError as error:
            faults.append(_fault(file, error.lineno or 1, error.offset or 1, _reason(error)))
        except (ValueError, RecursionError, MemoryError) as error:
            faults.append(_fault(file, 1, 1, f"cannot be read as Python: {error}"))
    for module in parsed.values():
        faults += module.import_faults({file.module for file in files})
    reader = _Reader(parsed)
    names = {f"{m.name}.{name}": own for m in parsed.values() for name, own in reader.names(m)}
    return names, tuple(faults)


def _reason(error: SyntaxError) -> str:
    return f"is not valid Python: {error.msg}"


def _fault(file: CodeFile, line: int, column: int, message: str) -> Fault:
    text = file.lines[line - 1] if 0 < line <= len(file.lines) else ""
    place = Place(str(file.path), line, max(column, 1), 1, text)
    return Fault("NN131", "", message, place)


@dataclass(frozen=True)
class _Module:
    """A file with its syntax tree."""

    file: CodeFile
    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.tree.body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.imports[alias.asname or name] = name
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    whole = f"{_origin(node)}.{alias.name}"
                    self.imports[alias.asname or alias.name] = whole

    @property
    def name(self) -> str:
        return self.file.module

    def import_faults(self, modules: set[str]) -> Iterator[Fault]:
        """Imports that must fail: of files that are not listed, or of missing packages."""
        for node in self.tree.body:
            for name in _imported(node):
                package, _, rest = name.partition(".")
                inner = rest.partition(".")[0]
                message = None
                if package == PACKAGE:
                    if inner not in modules:
                        message = f"imports {quote(f'{inner}.py')}, which is not listed under code"
                elif package in modules and not _exists(package):
                    message = f"files under code import each other with a dot: write '.{package}'"
                elif not _exists(package):
                    message = f"imports {quote(package)}, which is not installed"
                if message:
                    yield _fault(self.file, node.lineno, node.col_offset + 1, message)

    def resolve(self, expression: ast.expr) -> str:
        """The full name that an expression means, such as `keras.layers.Layer`; empty if unknown."""
        parts: list[str] = []
        while isinstance(expression, ast.Attribute):
            parts.append(expression.attr)
            expression = expression.value
        if not isinstance(expression, ast.Name):
            return ""
        first = self.imports.get(expression.id, f"{PACKAGE}.{self.name}.{expression.id}")
        name = ".".join((first, *reversed(parts)))
        return name.removeprefix("tensorflow.") if name.startswith("tensorflow.keras.") else name


def _origin(node: ast.ImportFrom) -> str:
    return ".".join(filter(None, (PACKAGE if node.level else "", node.module)))


def _imported(node: ast.stmt) -> Iterator[str]:
    """The full names of the modules that a statement imports."""
    match node:
        case ast.Import(names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=None, names=names):
            yield from (f"{PACKAGE}.{alias.name}" for alias in names)
        case ast.ImportFrom():
            yield _origin(node)


def _exists(package: str) -> bool:
    return package in sys.stdlib_module_names or is_installed(package)


@dataclass(frozen=True)
class _Base:
    """What a class is and takes by its base classes.

    Args:
        kinds: None for any, because a base class is not known.
    """

    kinds: frozenset[str] | None
    entry: Entry


@dataclass(frozen=True)
class _Reader:
    modules: Mapping[str, _Module]

    def names(self, module: _Module) -> Iterator[tuple[str, OwnName]]:
        """The public functions and classes of a file."""
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                name = f"{module.name}.{node.name}"
                base = self._class(module, node, ())
                methods = frozenset(_methods(node))
                yield node.name, OwnName(base.kinds, replace(base.entry, name=name), methods)
            elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield node.name, self._function(module, node)

    def _function(self, module: _Module, node: ast.FunctionDef) -> OwnName:
        least, most = _positional(node.args)
        kinds = {kind for kind, count in CALLED.items() if least <= count <= most}
        if least <= 1 <= most:
            kinds.add("schedules")
        doc, name = ast.get_docstring(node), f"{module.name}.{node.name}"
        arguments = self._arguments(module, node, dict(argument_docs(doc)), "", method=False)
        entry = Entry(name, first_sentence(doc), arguments, {}, is_open=node.args.kwarg is not None)
        return OwnName(frozenset((*kinds, DATASETS)), entry, is_function=True)

    def _class(self, module: _Module, node: ast.ClassDef, below: tuple[str, ...]) -> _Base:
        name = f"{PACKAGE}.{module.name}.{node.name}"
        base = self._base(module, node, (*below, name))
        kind = next(iter(base.kinds)) if base.kinds and len(base.kinds) == 1 else ""
        doc = ast.get_docstring(node)
        init = next((n for n in node.body if _is_function(n, "__init__")), None)
        docs = dict(argument_docs(doc))
        if isinstance(init, ast.FunctionDef):
            docs = {**docs, **dict(argument_docs(ast.get_docstring(init)))}
            own = self._arguments(module, init, docs, kind, method=True)
            inherited, is_open = _passed_on(init, base)
        elif any(module.resolve(_called(d)).endswith("dataclass") for d in node.decorator_list):
            own, inherited, is_open = self._fields(module, node, docs, kind), {}, False
        else:
            own, inherited, is_open = base.entry.arguments, base.entry.inherited, base.entry.is_open
        inherited = {key: value for key, value in inherited.items() if key not in own}
        entry = Entry(node.name, first_sentence(doc), own, inherited, is_open=is_open)
        return _Base(base.kinds, entry)

    def _base(self, module: _Module, node: ast.ClassDef, below: tuple[str, ...]) -> _Base:
        for expression in node.bases:
            if base := self._known_base(module.resolve(expression), below):
                return base
        names = {module.resolve(expression).rpartition(".")[2] for expression in node.bases}
        if names - {"ABC", "object", "Protocol", "Generic"}:
            return _Base(None, Entry("", "", {}, {}, is_open=True))
        methods = {*_methods(node)}
        kinds = {STEPS} if "apply" in methods else set()
        if "__call__" in methods:
            kinds |= {"initializers", "regularizers", "constraints", "losses", "metrics"}
        return _Base(frozenset(kinds), Entry("", "", {}, {}))

    def _known_base(self, name: str, below: tuple[str, ...]) -> _Base | None:
        package, _, last = name.rpartition(".")
        if package.startswith(f"{PACKAGE}."):
            module = self.modules.get(package.removeprefix(f"{PACKAGE}."))
            body = module.tree.body if module and name not in below else []
            found = (n for n in body if isinstance(n, ast.ClassDef) and n.name == last)
            node = next(found, None)
            return self._class(module, node, below) if module and node else None
        if package.partition(".")[0] != "keras":
            return None
        if last in _BASES:
            kind, like = _BASES[last]
            given = catalogue.entry(kind, like)
            entry = given.inherited or given.arguments if given else {}
            common = _COMMON.get(kind, tuple(entry))
            inherited = {key: entry.get(key, Argument(key)) for key in common}
            return _Base(frozenset((kind,)), Entry(last, "", {}, inherited))
        kind = package.rpartition(".")[2]
        if catalogue.is_kind(kind) and (known := catalogue.entry(kind, last)):
            return _Base(frozenset((kind,)), known)
        return None

    def _arguments(
        self,
        module: _Module,
        node: ast.FunctionDef,
        docs: Mapping[str, str],
        kind: str,
        *,
        method: bool,
    ) -> dict[str, Argument]:
        given = node.args
        positional = [*given.posonlyargs, *given.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults))
        pairs = [*zip(positional, [*defaults, *given.defaults], strict=True)][1 if method else 0 :]
        pairs += zip(given.kwonlyargs, given.kw_defaults, strict=True)
        return {
            a.arg: self._argument(module, a.arg, a.annotation, default, docs, kind)
            for a, default in pairs
        }

    def _fields(
        self, module: _Module, node: ast.ClassDef, docs: Mapping[str, str], kind: str
    ) -> dict[str, Argument]:
        return {
            n.target.id: self._argument(module, n.target.id, n.annotation, n.value, docs, kind)
            for n in node.body
            if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
        }

    def _argument(
        self,
        module: _Module,
        name: str,
        annotation: ast.expr | None,
        default: ast.expr | None,
        docs: Mapping[str, str],
        kind: str,
    ) -> Argument:
        types, choices, component = _types(module, annotation)
        if by_name := argument_kind(kind, name):
            types, choices, component = (), (), by_name
        elif component == "path" and kind:
            # Keras's components get words; data sets and steps get paths.
            types, component = ("string",), None
        value = None if default is None else _literal(default)
        return Argument(
            name,
            required=default is None,
            default=value,
            kind=component,
            doc=short(docs.get(name, "")),
            types=types,
            choices=choices,
        )


def _passed_on(init: ast.FunctionDef, base: _Base) -> tuple[dict[str, Argument], bool]:
    """The arguments that a constructor passes on with `**kwargs`, and whether it may take more."""
    if init.args.kwarg is None:
        return {}, False
    calls = (node for node in ast.walk(init) if isinstance(node, ast.Call))
    call = next((c for c in calls if ast.unparse(c.func) == "super().__init__"), None)
    if call is None or all(keyword.arg for keyword in call.keywords):
        return {}, True
    accepted = base.entry.accepted
    given = {*[*accepted][: len(call.args)], *(keyword.arg for keyword in call.keywords)}
    passed = {name: argument for name, argument in accepted.items() if name not in given}
    return passed, base.kinds is None or base.entry.is_open


def _types(
    module: _Module, annotation: ast.expr | None
) -> tuple[tuple[str, ...], tuple[str, ...], str | None]:
    """JSON types, allowed words and the kind of component that an annotation means."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except (SyntaxError, ValueError):
            return (), (), None
    types: list[str] = []
    choices: list[str] = []
    for part in _alternatives(module, annotation):
        name = module.resolve(_called(part)).rpartition(".")[2]
        if isinstance(part, ast.Constant) and part.value is None:
            types.append("null")
        elif name == "Literal" and isinstance(part, ast.Subscript):
            values = _literal(part.slice)
            words = values if isinstance(values, (list, tuple)) else [values]
            if not all(isinstance(word, str) for word in words):
                return (), (), None
            choices += map(str, words)
            types.append("string")
        elif name in _JSON:
            types += _JSON[name]
        elif name == "Path":
            return (), (), "path"
        elif name in _BASES:
            return (), (), _BASES[name][0]
        else:
            return (), (), None
    return tuple(dict.fromkeys(types)), tuple(choices), None


def _alternatives(module: _Module, annotation: ast.expr | None) -> Iterator[ast.expr]:
    match annotation:
        case None:
            return
        case ast.BinOp(left, ast.BitOr(), right):
            yield from _alternatives(module, left)
            yield from _alternatives(module, right)
        case ast.Subscript(value, inner) if module.resolve(value).endswith((".Optional", ".Union")):
            yield from inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if module.resolve(value).endswith(".Optional"):
                yield ast.Constant(None)
        case _:
            yield annotation


def _called(expression: ast.expr) -> ast.expr:
    """The name in `name(...)` or `name[...]`."""
    match expression:
        case ast.Call(function):
            return function
        case ast.Subscript(value):
            return value
    return expression


def _literal(expression: ast.expr) -> object:
    """The value of an expression if it is a constant, else its text."""
    try:
        value = ast.literal_eval(expression)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ast.unparse(expression)
    return list(value) if isinstance(value, (tuple, set)) else value


def _positional(arguments: ast.arguments) -> tuple[int, float]:
    """The least and the largest number of positional arguments that a function takes."""
    given = len(arguments.posonlyargs) + len(arguments.args)
    needed = [default for default in arguments.kw_defaults if default is None]
    least = given - len(arguments.defaults)
    # A keyword without a default can never be given.
    most = float("inf") if arguments.vararg else float(given)
    return least, -1.0 if needed else most


def _methods(node: ast.ClassDef) -> Iterator[str]:
    return (n.name for n in node.body if isinstance(n, ast.FunctionDef))


def _is_function(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == name
