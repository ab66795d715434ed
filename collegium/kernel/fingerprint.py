"""Fingerprints of functions: a digest that changes when what a function does may have changed."""

from __future__ import annotations

import dis
import functools
import inspect
import pickle
import sys
from collections.abc import Callable, Iterator
from hashlib import blake2b
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from collegium.errors import BadInput


def fingerprint(function: Callable[..., Any]) -> str:
    """A digest over all that a function is made of.

    That is its byte code and constants, its defaults, the variables it has closed over, the object
    it is a method of, and the globals it names: data by value, functions of the same package the
    same way in turn, everything else (classes, modules, functions of other packages) by name and
    version. What it reaches through a module or a class is therefore not part of it.

    Byte code differs between versions of Python, so a fingerprint is good for one version.

    Args:
        function: The function; plain or async, a method, a partial, or an object with a
            ``__call__`` method.

    Raises:
        BadInput: It holds something that cannot be fingerprinted, such as an open connection.
    """
    digest = blake2b(digest_size=16)
    for part in _callable(function, _package(function), set()):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _callable(function: Any, package: str, seen: set[int]) -> Iterator[bytes]:
    """The bytes that stand for a function, whatever package it is of."""
    if isinstance(function, functools.partial):
        yield b"partial"
        yield from _callable(function.func, package, seen)
        yield from _data((function.args, sorted(function.keywords.items())), "a bound argument")
    elif isinstance(function, MethodType):
        yield b"method"
        yield from _callable(function.__func__, package, seen)
        yield from _data(function.__self__, "the object it is a method of")
    elif isinstance(function, FunctionType):
        if id(function) not in seen:
            seen.add(id(function))
            yield from _function(function, package, seen)
    elif hasattr(function, "__wrapped__"):  # a cached function, for one
        yield from _callable(function.__wrapped__, package, seen)
    elif isinstance(inspect.getattr_static(type(function), "__call__", None), FunctionType):
        yield from _callable(type(function).__call__, package, seen)
        yield from _data(function, "the object it is")
    else:
        yield _named(function)


def _function(function: FunctionType, package: str, seen: set[int]) -> Iterator[bytes]:
    code = function.__code__
    yield from _code(code)
    given = (function.__defaults__, sorted((function.__kwdefaults__ or {}).items()))
    yield from _data(given, "a default")
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        yield name.encode()
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        yield from _variable(value, name, package, seen)
    for name in _global_names(code):
        yield name.encode()
        if name in function.__globals__:
            yield from _variable(function.__globals__[name], name, package, seen)


def _variable(value: Any, name: str, package: str, seen: set[int]) -> Iterator[bytes]:
    """The bytes that stand for what a function uses."""
    if isinstance(value, ModuleType | type | BuiltinFunctionType):
        yield _named(value)
    elif isinstance(value, FunctionType) or hasattr(value, "__wrapped__"):
        ours = _package(value) == package
        yield from _callable(value, package, seen) if ours else [_named(value)]
    elif isinstance(value, MethodType | functools.partial):
        yield from _callable(value, package, seen)
    else:
        yield from _data(value, name)


@functools.lru_cache(maxsize=1024)
def _global_names(code: CodeType) -> tuple[str, ...]:
    """The globals that code names, also in the functions and comprehensions inside it."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found.update(_global_names(constant))
    return tuple(sorted(found))


def _code(code: CodeType) -> Iterator[bytes]:
    """Byte code without file names and line numbers, which change nothing."""
    yield code.co_code
    yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_flags)).encode()
    yield code.co_exceptiontable
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        elif isinstance(constant, frozenset):
            yield repr(sorted(map(repr, constant))).encode()
        else:
            yield repr(constant).encode()


def _data(value: Any, where: str) -> Iterator[bytes]:
    try:
        yield pickle.dumps(value, protocol=5)
    except Exception:  # whatever an object raises that will not be pickled
        raise BadInput(
            f"{where} ({type(value).__name__}) cannot be fingerprinted; state a fingerprint for "
            "the tool, or do not declare it pure."
        ) from None


def _named(value: Any) -> bytes:
    module = getattr(value, "__module__", None) or getattr(value, "__name__", "")
    name = getattr(value, "__qualname__", "")
    version = getattr(sys.modules.get(module.partition(".")[0]), "__version__", "")
    return f"{module}:{name}:{version}".encode()


def _package(value: Any) -> str:
    return (getattr(value, "__module__", None) or "").partition(".")[0]
