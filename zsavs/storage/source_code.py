"""The key of code: a digest of the source of some components, and of all that it imports of the same package.

Two processes with the same digests run the same lines, whatever version the package calls itself: the researcher who
tunes a strategy changes its source and not its version. Only what belongs to the components is looked at: their own
package, or for a loose module the files beside and below it, and zsavs. The standard library and installed packages of
others are not.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
from importlib.abc import InspectLoader
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, NamedTuple

from zsavs.errors import InputError

__all__ = ["code_digests", "digest", "is_own_code"]

#: What shows answers and changes none, and what names the components, each of which is looked at by itself.
_LEFT_OUT = ("zsavs.cli", "zsavs.draw", "zsavs.presets", "zsavs.registry", "zsavs.report", "zsavs.version")


def code_digests(components: Iterable[Any]) -> dict[str, str]:
    """A digest for each module that components are made of, by its name.

    Args:
        components: objects, classes or functions; or modules, by name.

    Raises:
        InputError: the source of a component has changed since this process loaded it, so that it runs other lines.
    """
    found: dict[str, str] = {}
    waiting: list[tuple[str, str]] = []
    for component in components:
        if isinstance(component, str):
            waiting.append((component, component))
            continue
        code = _code_of(component)
        path = _file_of(code.__module__)
        if path is None:  # typed in: there is no file
            found[f"{code.__module__}:{code.__qualname__}"] = _digest_without_file(code)
            bases = (base for base in getattr(code, "__mro__", ())[1:] if is_own_code(base))
            waiting += [(base.__module__, base.__module__) for base in bases]
            continue
        if not _belongs(code.__module__, "zsavs", path, path):
            _check_loaded(code, path)
        waiting.append((code.__module__, code.__module__))
    seen: set[tuple[str, str]] = set()
    while waiting:
        home, module = waiting.pop()
        top = home.partition(".")[0]
        if (top, module) in seen:
            continue
        seen.add((top, module))
        start, path = _file_of(home), _file_of(module)
        if path is None or start is None or not _belongs(module, top, path, start):
            continue
        own = _source(path, *_stamp(path))
        found[module] = own.digest
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for name in _imported(own, package):
            waiting.append(("zsavs" if name.startswith("zsavs.") else home, name))
    return dict(sorted(found.items()))


def _code_of(component: Any) -> Any:
    """The class of an object; a class or a function is itself."""
    return component if isinstance(component, type | types.FunctionType) else type(component)


def is_own_code(component: Any) -> bool:
    """Whether a class, a function, or an object's class is of zsavs or the user, and of no installed package."""
    module = str(_code_of(component).__module__)
    path = _file_of(module)
    if module.partition(".")[0] == "zsavs":
        return True
    if path is None:  # typed in
        return module == "__main__"
    return not any(path.resolve().is_relative_to(place) for place in _of_others())


def digest(data: bytes) -> str:
    """Sixteen hexadecimal digits that change with some bytes."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


class _Source(NamedTuple):
    """A file of source: its digest, and what it imports, as (dots in front, module, names of it)."""

    digest: str
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@functools.lru_cache(maxsize=1024)
def _source(path: Path, size: int, written_ns: int) -> _Source:
    data = path.read_bytes()
    try:
        tree = ast.parse(data)
    except SyntaxError:
        return _Source(digest(data), ())
    return _Source(digest(data), tuple(_imports(tree)))


def _imports(node: ast.AST) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """What is imported, inside functions too, and not for type checkers alone."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import):
        yield from ((0, alias.name, ()) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.level, node.module or "", tuple(alias.name for alias in node.names)
    elif isinstance(node, ast.stmt | ast.Module | ast.ExceptHandler | ast.match_case):  # no expression imports
        for child in ast.iter_child_nodes(node):
            yield from _imports(child)


def _imported(source: _Source, package: str) -> Iterator[str]:
    """The names that modules imported by a source may have."""
    for level, module, names in source.imports:
        try:
            home = importlib.util.resolve_name("." * level + module, package) if level else module
        except ImportError:  # more dots than there are packages
            continue
        yield home
        yield from (f"{home}.{name}" for name in names)


def _file_of(module: str) -> Path | None:
    """The source file of a module; None for what has none, or is no module. Nothing is imported to find out."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        named = getattr(loaded, "__file__", None)
        return Path(named) if named and named.endswith(".py") and Path(named).is_file() else None
    parent, _, name = module.rpartition(".")
    if not parent:
        places = [Path(entry or ".") for entry in sys.path]
    else:
        above = _file_of(parent)
        places = [above.parent] if above is not None and above.name == "__init__.py" else []
    for place in places:
        for path in (place / name / "__init__.py", place / f"{name}.py"):
            if path.is_file():
                return path
    return None


@functools.cache
def _of_others() -> tuple[Path, ...]:
    """Where the standard library and installed packages are."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(sysconfig.get_path(name)).resolve() for name in names})


def _belongs(module: str, top: str, path: Path, start: Path) -> bool:
    """Whether a module belongs to a package, or lies beside or below the loose module that it is imported from."""
    if any(module == name or module.startswith(f"{name}.") for name in _LEFT_OUT):
        return False
    if module == top or module.startswith(f"{top}."):
        return True
    if top == "zsavs" or any(path.resolve().is_relative_to(place) for place in _of_others()):
        return False
    folder = start.resolve().parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return path.resolve().is_relative_to(folder)


def _check_loaded(code: Any, path: Path) -> None:
    """See that what is loaded is what the file says now: functions, and constants that are numbers or texts.

    Raises:
        InputError: the file was edited and not loaded again, as in a notebook.
    """
    module = sys.modules[code.__module__]
    if type(getattr(module, "__loader__", None)) is not SourceFileLoader:  # pytest's writes other lines than the file's
        return
    data, now = path.read_bytes(), dict[str, list[types.CodeType]]()
    try:
        tree = ast.parse(data)
        for each in _nested(InspectLoader.source_to_code(data, str(path))):  # nothing of it is run
            now.setdefault(each.co_qualname, []).append(each)  # all lambdas of a function are called the same
    except SyntaxError as error:
        raise InputError(f"{path}: cannot be read as Python ({error}); mend it, and start Python again.") from error
    edited = [
        own.co_qualname
        for own in _functions(code)
        if Path(own.co_filename) == path and not any(_same(own, each) for each in now.get(own.co_qualname, [own]))
    ]
    bodies = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == code.__qualname__]
    for holder, body in ((module, tree.body), *((code, body) for body in bodies)):
        loaded = vars(holder)
        edited += [name for name, value in _constants(body).items() if repr(loaded.get(name, value)) != repr(value)]
    if edited:
        raise InputError(
            f"{path}: {edited[0]} is not what this process has loaded; start Python again, or importlib.reload it."
        )


def _constants(body: Iterable[ast.stmt]) -> dict[str, Any]:
    """The names that are given a number, a text or a tuple of them, once."""
    given: dict[str, list[Any]] = {}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for name in (target.id for target in targets if isinstance(target, ast.Name)):
            try:
                value = ast.literal_eval(getattr(node, "value", None) or "")
            except (ValueError, SyntaxError):
                value = ...
            given.setdefault(name, []).append(value)
    return {n: v[0] for n, v in given.items() if len(v) == 1 and isinstance(v[0], int | float | str | tuple)}


def _functions(code: Any) -> Iterator[types.CodeType]:
    """The code of a function, or of the methods of a class."""
    for value in vars(code).values() if isinstance(code, type) else (code,):
        value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        value = value.fget if isinstance(value, property) else value
        own = inspect.unwrap(value) if callable(value) else value
        if isinstance(own, types.FunctionType):
            yield own.__code__


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _same(a: types.CodeType, b: types.CodeType) -> bool:
    """Whether two compiled functions do the same, wherever in their file they stand."""
    inner = [[c for c in code.co_consts if isinstance(c, types.CodeType)] for code in (a, b)]
    return (
        (a.co_code, a.co_names, a.co_varnames, a.co_freevars) == (b.co_code, b.co_names, b.co_varnames, b.co_freevars)
        and _plain(a) == _plain(b)
        and len(inner[0]) == len(inner[1])
        and all(map(_same, *inner))
    )


def _plain(code: types.CodeType) -> list[str]:
    """The constants of a compiled function; sets in an order of their own, which is another in every process."""
    constants = (c for c in code.co_consts if not isinstance(c, types.CodeType))
    return [repr(sorted(map(repr, c)) if isinstance(c, frozenset) else c) for c in constants]


def _digest_without_file(code: Any) -> str:
    """A digest of what a class or a function was compiled to that was typed in, and of what it calls by name there."""
    told: list[Any] = []
    waiting, seen = [code], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        told += _constants_of(one)
        home = vars(sys.modules[one.__module__]) if one.__module__ in sys.modules else {}
        for part in (part for own in _functions(one) for part in _nested(own)):
            told.append((part.co_qualname, part.co_code, part.co_names, _plain(part)))
            for name in part.co_names:
                value = home.get(name)
                if _is_plain(value):
                    told.append((name, value))
                elif isinstance(value, type | types.FunctionType) and value.__module__ == one.__module__:
                    waiting.append(value)
    return digest(repr(told).encode())


def _constants_of(code: Any) -> list[tuple[str, Any]]:
    """The plain values that a class has, and its methods' defaults; or a function's."""
    values = list(vars(code).items()) if isinstance(code, type) else [(code.__name__, code)]
    plain = [(key, value) for key, value in values if _is_plain(value) and not key.startswith("__")]
    functions = [(key, value) for key, value in values if isinstance(value, types.FunctionType)]
    defaults = [
        (
            key,
            [
                default
                for default in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values())
                if _is_plain(default)
            ],
        )
        for key, f in functions
    ]
    return [*plain, *defaults]


def _is_plain(value: Any) -> bool:
    """Whether a value is written the same in every process."""
    return isinstance(value, bool | int | float | str) or (isinstance(value, tuple) and all(map(_is_plain, value)))
