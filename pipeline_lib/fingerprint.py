"""Hash of the code a stage really runs: its script and the library modules that it imports.

Snakemake does not see a change in an imported module; with the fingerprint among a rule's
parameters it does. The analysis is static (nothing is imported) and the hash is taken of the syntax
tree without docstrings, so comments, docstrings and layout do not count. A data file of the library
(a template, say) counts, byte for byte, for the modules that name it and lie beside it or beside
its folder.
"""

import ast
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline_lib.errors import BagpipeError

PACKAGE = "pipeline_lib"
# What only words messages or forwards to other modules; it cannot change a result.
_NAMES = ("errors", "logs", "fingerprint", "warm.protocol")
NEUTRAL = frozenset({PACKAGE, *(f"{PACKAGE}.{name}" for name in _NAMES)})


def fingerprint(script: Path, *extra_modules: str, root: Path) -> str:
    """Hash (16 hex digits) of a script and all library modules it imports, directly or not.

    ``root`` is the folder that holds the library package; ``extra_modules`` are dotted names of
    modules that the script loads in a way the analysis cannot see. Raises BagpipeError for a file
    that is missing or is not Python.
    """
    return combined(explain(script, *extra_modules, root=root))


def combined(parts: dict[str, str]) -> str:
    """The fingerprint that some parts make."""
    return _digest("\n".join(f"{name} {value}" for name, value in parts.items()))


def explain(script: Path, *extra_modules: str, root: Path) -> dict[str, str]:
    """What a fingerprint is made of: hashes of the script, of modules and data files, by name."""
    return Reader(root).explain(script, *extra_modules)


class Reader:
    """Reads code for many fingerprints: every file once, however many scripts import it.

    ``known`` are analyses of earlier processes (see code_memory.py), by the hash of what was
    analysed. A reader does not notice changes of files that it has read.
    """

    def __init__(self, root: Path, known: "Mapping[str, _Module] | None" = None) -> None:
        self.root = root
        self.known = known or {}
        self.used: dict[str, _Module] = {}
        self._files: dict[tuple[Path, str], _Module] = {}
        self._steps: dict[str, tuple[list[str], dict[str, str]]] = {}

    def explain(self, script: Path, *extra_modules: str) -> dict[str, str]:
        """See the function of this name."""
        start = self._read(Path(script), "")
        hashes, waiting = {"script": start.digest}, [*start.references, *extra_modules]
        seen: set[str] = set()
        while waiting:
            reference = waiting.pop()
            if reference not in seen:
                seen.add(reference)
                references, found = self._follow(reference)
                waiting += references
                hashes |= found
        modules = sorted(hashes.keys() - NEUTRAL - {"script"})
        return {name: hashes[name] for name in ("script", *modules)}

    def _follow(self, reference: str) -> tuple[list[str], dict[str, str]]:
        """What a dotted name leads to at once: further names, and hashes by name."""
        if reference not in self._steps:
            references: list[str] = []
            hashes: dict[str, str] = {}
            for name, path, rest in _modules(reference, self.root):
                module = self._read(path, name)
                if module.is_facade:
                    references += _behind_facade(module, name, path, rest)
                else:
                    references += module.references
                    hashes |= {name: module.digest} | _data_hashes(module, name, path)
            self._steps[reference] = references, hashes
        return self._steps[reference]

    def _read(self, path: Path, name: str) -> "_Module":
        if (path, name) not in self._files:
            try:
                content = path.read_bytes()
            except OSError:
                raise BagpipeError("A script or module is missing.", where=path) from None
            key = hashlib.sha256(f"{name}\n{path.name}\n".encode() + content).hexdigest()
            module = self.known.get(key) or _analyse(path, name, content)
            self.used[key] = self._files[path, name] = module
        return self._files[path, name]


@dataclass(frozen=True)
class _Module:
    """One file: hash of its code and the dotted names it refers to."""

    digest: str
    references: tuple[str, ...]
    is_facade: bool
    """Whether it is a package's ``__init__`` that does nothing but offer names of other modules.

    Then what it offers counts where it is used, and the rest of the package does not.
    """
    offers: dict[str, str]
    """Where the names of a facade live, from its imports; lazy ones are under TYPE_CHECKING."""
    file_names: tuple[str, ...]
    """Texts in the code that may be names of data files."""


def _data_hashes(module: _Module, name: str, path: Path) -> dict[str, str]:
    """Hashes of the data files that a module names, in its folder or in one right below."""
    if not module.file_names:
        return {}
    folders = [path.parent, *(folder for folder in path.parent.iterdir() if folder.is_dir())]
    places = (folder / file_name for folder in folders for file_name in module.file_names)
    found = {file for file in places if file.exists()}
    return {
        f"{name}:{file.relative_to(path.parent).as_posix()}": hashlib.sha256(
            file.read_bytes()
        ).hexdigest()[:16]
        for file in sorted(found)
    }


def _modules(reference: str, root: Path) -> Iterator[tuple[str, Path, str]]:
    """The module that a dotted name lies in, and the packages around it.

    Yields name, file and what is left of the reference behind the name.
    """
    names = reference.split(".")
    folder = os.fspath(root)
    for index, name in enumerate(names if names[0] == PACKAGE else ()):
        module, rest = ".".join(names[: index + 1]), ".".join(names[index + 1 :])
        folder = os.path.join(folder, name)  # texts: paths would take most of the time
        if os.path.isfile(f"{folder}.py"):
            yield module, Path(f"{folder}.py"), rest
            return
        if not os.path.isdir(folder):
            return
        if os.path.isfile(f"{folder}/__init__.py"):
            yield module, Path(folder, "__init__.py"), rest


def _behind_facade(module: _Module, package: str, path: Path, name: str) -> list[str]:
    """The module behind ``package.name``; all modules of the package when that cannot be told."""
    first = name.split(".")[0]
    if not first:
        return []
    if first in module.offers:
        return [module.offers[first]]
    if first.startswith("__") or package in NEUTRAL:
        return []
    folder = path.parent
    if (folder / f"{first}.py").is_file() or (folder / first).is_dir():
        return []
    parts = {file.stem for file in folder.iterdir() if file.suffix == ".py" or file.is_dir()}
    return [f"{package}.{part}" for part in sorted(parts) if not part.startswith("__")]


@lru_cache(maxsize=4096)
def _analyse(path: Path, name: str, content: bytes) -> _Module:
    """What there is to know about a file; cached for as long as it is the same."""
    try:
        tree = ast.parse(content, filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}, line {line}" if line else path
        raise BagpipeError("A file is not valid Python.", where=where, value=error) from None
    is_init = path.name == "__init__.py"
    package = name if is_init else name.rpartition(".")[0]
    is_facade = is_init and all(map(_only_offers, tree.body))
    offers = dict(_imports(ast.walk(tree), package)) if is_facade else {}
    tree = _Normaliser().visit(tree)
    nodes = list(ast.walk(tree))
    constants = (node.value for node in nodes if isinstance(node, ast.Constant))
    texts = {value for value in constants if isinstance(value, str)}
    parts: list[str] = []
    _serialise(tree, parts)
    return _Module(
        digest=_digest("\x1f".join(parts)),
        references=tuple(sorted(set(_references(nodes, package)))),
        is_facade=is_facade,
        offers=offers,
        file_names=tuple(sorted(text for text in texts if _is_file_name(text))),
    )


def _is_file_name(text: str) -> bool:
    """Whether a text looks like the name of a file that is not Python."""
    return re.fullmatch(r"[\w-]+\.(?!py$)[a-z]{2,5}", text) is not None


_LITERAL = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.expr_context)


def _only_offers(node: ast.stmt) -> bool:
    """Whether a statement belongs to a facade: imports, lists of names, hooks."""
    if isinstance(node, ast.Assign):
        is_literal = all(isinstance(part, _LITERAL) for part in ast.walk(node.value))
        return is_literal and all(isinstance(target, ast.Name) for target in node.targets)
    if isinstance(node, ast.FunctionDef):
        return node.name in ("__getattr__", "__dir__")
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    is_check = isinstance(node, ast.If) and _is_type_checking(node)
    return is_text or is_check or isinstance(node, ast.Import | ast.ImportFrom)


class _Normaliser(ast.NodeTransformer):
    """Takes out what does nothing at run time: docstrings and ``if TYPE_CHECKING`` blocks."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.orelse if _is_type_checking(node) else node


def _is_type_checking(node: ast.If) -> bool:
    return ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING"


def _serialise(node: object, parts: list[str]) -> None:
    """The syntax tree as texts that are the same in all versions of Python (unlike ast.dump)."""
    if isinstance(node, ast.AST):
        parts.append(f"({type(node).__name__}")
        for field in node._fields:
            value = getattr(node, field, None)
            if value is not None and value != [] and field not in ("kind", "type_comment", "ctx"):
                parts.append(f"{field}=")
                _serialise(value, parts)
            elif field == "value" and isinstance(node, ast.Constant):
                parts.append("None")
        parts.append(")")
    elif isinstance(node, list):
        parts.append("[")
        for item in node:
            _serialise(item, parts)
        parts.append("]")
    else:
        parts.append(f"{type(node).__name__} {node!r}")


def _references(nodes: list[ast.AST], package: str) -> Iterator[str]:
    """Dotted names of all that is imported, and of what is reached through imported packages."""
    bound = dict(_imports(nodes, package))
    ours = {name for name, meant in bound.items() if meant.startswith(PACKAGE)}
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{_base(node, package)}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) == "import_module":
            yield from (str(arg.value) for arg in node.args if isinstance(arg, ast.Constant))
        elif isinstance(node, ast.Attribute) and _first_name(node) in ours:
            name, _, rest = ast.unparse(node).partition(".")
            yield f"{bound[name]}.{rest}"


def _called(node: ast.Call) -> str:
    """Last part of the name of what is called; empty where it has none."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _first_name(node: ast.Attribute) -> str:
    """``a`` of ``a.b.c``; empty for an attribute of anything but a name."""
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return inner.id if isinstance(inner, ast.Name) else ""


def _imports(nodes: Iterable[ast.AST], package: str) -> Iterator[tuple[str, str]]:
    """Names bound by imports among the nodes, with the dotted names that they stand for."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{_base(node, package)}.{alias.name}"


def _base(node: ast.ImportFrom, package: str) -> str:
    """Absolute name of the module that is imported from."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    around = parents[: len(parents) - node.level + 1]
    return ".".join([*around, *([node.module] if node.module else [])])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
