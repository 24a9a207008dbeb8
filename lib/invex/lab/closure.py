"""Digest of the code that a function depends on, read from the sources alone: nothing is imported.

The closure starts at a top-level function and follows every name it mentions to its definition in the same
module or in a module within the scope: functions, classes (whole, with their methods), constants, decorators,
defaults, names imported inside functions, and attribute access on imported modules. Statements that run for
their effect when a module is imported count with every name of it. Docstrings, comments, formatting and the
annotations of functions do not count. Names reached only through strings (`getattr(module, text)`) are not
seen.
"""

import ast
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import resolve_name
from pathlib import Path

from invex.lab.config import sha256

PACKAGE = Path(__file__).parents[1]
SCOPE = ("invex.data", "invex.nn", "invex.analysis", "invex.experiments")
EFFECTS = "<module>"
Name = tuple[str, str]


@dataclass(frozen=True)
class CodeDigest:
    """Digest of a closure and of each of its definitions, the module it starts in, the files it stands in."""

    digest: str
    functions: dict[str, str]
    module: str = ""
    files: tuple[Path, ...] = ()


@dataclass
class _Module:
    package: str
    imports: dict[str, Name]
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)


def code_digest(module: str, function: str = "run", scope: tuple[str, ...] = SCOPE) -> CodeDigest:
    """Digest of the closure of `module.function` and of the module's `Config`, where it has one.

    The fields of `Config` do not count, since their values are in each record's config; its methods do.
    A module outside `invex` (a reader's own experiment) is in its own scope.

    Raises:
        LookupError: there is no such module or function.
    """
    if not module.startswith("invex."):
        scope = (*scope, module)
    if _definition(module, function) is None:
        raise LookupError(f"no function {function} in module {module}")
    return _digest(_reach([(module, function), (module, "Config")], scope), config=f"{module}.Config")


def source_digest(code: str, scope: tuple[str, ...] = ("invex",)) -> CodeDigest:
    """Digest of the closure of every name of `scope` that a piece of code (a chapter's cells) uses."""
    tree = ast.parse(code)
    return _digest(_reach(_mentions(tree, _imports(tree, ""), scope), scope))


def changed(before: dict[str, str], today: dict[str, str]) -> list[str]:
    """Names whose digest differs between two closures, with "(new)" or "(gone)" where one lacks it."""
    marks = {name: "" for name in before.keys() & today.keys() if before[name] != today[name]}
    marks |= dict.fromkeys(today.keys() - before.keys(), " (new)")
    marks |= dict.fromkeys(before.keys() - today.keys(), " (gone)")
    return [name + marks[name] for name in sorted(marks)]


def _reach(start: Iterable[Name], scope: tuple[str, ...]) -> dict[Name, list[ast.stmt]]:
    reached: dict[Name, list[ast.stmt]] = {}
    waiting = list(start)
    while waiting:
        found = _definition(*waiting.pop())
        if found is None or found in reached or not _within(found[0], scope):
            continue
        module = _module(found[0])
        reached[found] = module.definitions[found[1]]
        if EFFECTS in module.definitions:
            waiting.append((found[0], EFFECTS))
        for statement in reached[found]:
            waiting += [(found[0], name) for name in _free(statement) if name in module.definitions]
            waiting += _mentions(statement, module.imports | _imports(statement, module.package), scope)
    return reached


@lru_cache(maxsize=4096)
def _free(statement: ast.stmt) -> set[str]:
    """Names that a statement takes from its module: not its parameters, nor what it assigns itself."""
    tables = [symtable.symtable(ast.unparse(statement), "<statement>", "exec")]
    names = {symbol.get_name() for symbol in tables[0].get_symbols() if symbol.is_referenced()}
    while tables:
        table = tables.pop()
        tables += table.get_children()
        names |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return names


def _mentions(tree: ast.AST, imports: dict[str, Name], scope: tuple[str, ...]) -> Iterator[Name]:
    """Names in other modules that a piece of code mentions, directly or as `module.name`."""
    packages = {part.partition(".")[0] for part in scope}
    near = {name: place for name, place in imports.items() if place[0].partition(".")[0] in packages}
    for node in ast.walk(tree):
        parts = _dotted(node)
        if parts and parts[0] in near:
            module, name = near[parts[0]]
            rest = [name, *parts[1:]] if name else list(parts[1:])
            while rest and _path(f"{module}.{rest[0]}") and _definition(module, rest[0]) is None:
                module = f"{module}.{rest.pop(0)}"
            if rest and _within(module, scope):
                yield module, rest[0]


def _dotted(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return (*before, node.attr)
    return ()


def _within(module: str, scope: tuple[str, ...]) -> bool:
    return any(module == part or module.startswith(part + ".") for part in scope)


def defines(module: str, name: str) -> bool:
    """Whether a module has a top-level definition of that name."""
    return name in _module(module).definitions


def _definition(module: str, name: str) -> Name | None:
    """Where `module.name` is defined, following re-exports; None outside readable sources."""
    content = _module(module)
    if name in content.definitions:
        return module, name
    source, original = content.imports.get(name, (module, ""))
    return _definition(source, original) if original and (source, original) != (module, name) else None


def _path(module: str) -> Path | None:
    """File of a module, found without importing its parents."""
    parts = module.split(".")
    if parts[0] == "invex":
        stem = PACKAGE.joinpath(*parts[1:])
        candidates = (stem / "__init__.py", stem.with_suffix(".py"))
        return next((path for path in candidates if path.exists()), None)
    search: list[str] | None = None
    for i in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: i + 1]), search)
        if spec is None:
            return None
        search = list(spec.submodule_search_locations or [])
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _module(name: str) -> _Module:
    """What a module holds: nothing outside readable sources."""
    path = _path(name)
    return _read(name, path, path.stat().st_mtime_ns) if path else _Module("", {})


@lru_cache(maxsize=1024)
def _read(name: str, path: Path, modified: int) -> _Module:
    del modified  # part of the key only
    tree = ast.parse(path.read_text("utf-8"))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    module = _Module(package, _imports(tree, package))
    for statement in tree.body:
        for target in _targets(statement):
            module.definitions.setdefault(target, []).append(statement)
    return module


def _targets(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass) or _is_text(statement):
        return []
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
        return names if all(isinstance(t, ast.Name | ast.Tuple) for t in targets) else [EFFECTS]
    stored = [n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return [*stored, EFFECTS]


def _imports(tree: ast.AST, package: str) -> dict[str, Name]:
    """What each imported name stands for: (module, name in it), or (module, "") for a module itself."""
    found: dict[str, Name] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name if alias.asname else alias.name.partition(".")[0]
                found[alias.asname or head] = (head, "")
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            found |= {alias.asname or alias.name: (base, alias.name) for alias in node.names}
    return found


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _digest(reached: dict[Name, list[ast.stmt]], config: str = "") -> CodeDigest:
    functions = {}
    for (module, name), statements in sorted(reached.items()):
        full = f"{module}.{name}"
        text = "\n".join(_text(statement, skip_fields=full == config) for statement in statements)
        functions[full] = sha256(text)[:12]
    whole = "\n".join(f"{name} {digest}" for name, digest in functions.items())
    digest = sha256(whole)[:16]
    files = tuple(sorted({path for module, _ in reached if (path := _path(module))}))
    return CodeDigest(digest, functions, config.rpartition(".")[0], files)


def _text(node: object, skip_fields: bool = False) -> str:
    """A syntax tree as text that no Python version changes: empty fields and annotations left out."""
    if isinstance(node, list):
        return "[" + ",".join(_text(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = []
    for key, value in ast.iter_fields(node):
        if value is None or value == [] or key in ("returns", "type_comment", "ctx", "kind"):
            continue
        if key == "annotation" and isinstance(node, ast.arg):
            continue
        if key == "body" and isinstance(value, list):
            value = [
                s for s in value if not _is_text(s) and not (skip_fields and isinstance(s, ast.AnnAssign))
            ]
        parts.append(f"{key}={_text(value)}")
    return f"{type(node).__name__}({','.join(parts)})"
