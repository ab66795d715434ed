"""Finds the code in an answer, and builds from it the program that the tests of a task run."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings

# A fence may stay open when a reply was cut off at its length limit.
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n`]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.M | re.S)


def extract_code(text: str, entry_point: str = "") -> str:
    """Return the code of an answer: that of a fenced block, or the text itself.

    Args:
        text: The answer.
        entry_point: The function that the code must define. Of several blocks, the last that
            defines it (or, without a name, the last that defines anything) is taken.

    Returns:
        The code, without blank lines around it; its indentation stays.
    """
    blocks = [match[2] for match in _FENCE.finditer(text)]
    if not blocks:
        return text.strip("\n").rstrip()
    name = re.escape(entry_point) if entry_point else r"\w+"
    defines = re.compile(rf"^\s*(?:async\s+def|def|class)\s+{name}\b", re.M)
    chosen = [block for block in blocks if defines.search(block)] or blocks
    return chosen[-1].strip("\n").rstrip()


def build_program(answer: str, stub: str = "", entry_point: str = "") -> str:
    """Build the program that an answer to a code task stands for.

    An answer may be a whole program, or what follows the beginning that the task gave.

    Args:
        answer: What the system answered, fenced or not.
        stub: The beginning that the task gave: imports, helpers, a signature with its docstring.
        entry_point: The function that the program must define.

    Returns:
        Python source. Whether it is any good is for the tests to say.
    """
    code = extract_code(answer, entry_point)
    if not stub:
        return code
    if _defines(code, entry_point):
        # The stub's imports and helpers may be needed; its unfinished function is defined anew.
        head = f"{stub.rstrip()}\n    pass\n"
        return f"{head}\n\n{code}\n" if _compiles(head) else f"{code}\n"
    body = textwrap.indent(textwrap.dedent(code), "    ")
    # The second: a body whose first line lost its indentation when the reply was trimmed.
    candidates = (code, body) if code[:1].isspace() else (body, f"    {code}", code)
    for candidate in candidates:
        if _compiles(program := f"{stub.rstrip()}\n{candidate}\n"):
            return program
    return f"{stub.rstrip()}\n{code}\n"


def _compiles(source: str) -> bool:
    """Say whether a source is Python; unlike parsing, this minds a return outside a function."""
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(source, "answer", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _defines(source: str, name: str) -> bool:
    """Say whether a source defines a name at its top level."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Broken code that starts with the definition is a broken whole, not a body.
        return bool(name) and bool(
            re.search(rf"^(?:async\s+)?def\s+{re.escape(name)}\b", source, re.M)
        )
    names = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return name in names
