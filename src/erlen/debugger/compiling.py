"""Floor 8: what was typed becomes code: several lines, ``await`` at the top, a last value."""

import ast
import codeop
from types import CodeType

#: Name in which code leaves the value of its last expression.
VALUE = "__erlen_value__"


def is_incomplete(source: str) -> bool:
    """Whether more lines must follow: an open bracket, or a block that no empty line ends.

    Raises:
        ValueError, OverflowError: *source* cannot be read at all: it has a NUL.
    """
    *before, last = source.split("\n")
    if before and last[:1] in {" ", "\t"}:
        return True
    try:
        return codeop.compile_command(source, symbol="exec") is None
    except SyntaxError:  # 'await' outside of a function, for one: compiling will tell
        return False


def compile_input(source: str, name: str) -> CodeType:
    """Return the code of *source*; what it evaluates to is an awaitable when something is awaited.

    Args:
        source: Statements; the value of an expression at their end is left in :data:`VALUE`.
        name: What tracebacks call it.

    Raises:
        SyntaxError, ValueError: It is no Python.
    """
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = ast.parse(source, name)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        target = ast.Name(VALUE, ast.Store())
        tree.body[-1] = ast.copy_location(ast.Assign([target], last.value), last)
        ast.fix_missing_locations(tree)
    code: CodeType = compile(tree, name, "exec", flags, dont_inherit=True)
    return code
