"""The code of the project, read as a tree."""

import ast
import gc


def parse(code: str) -> ast.Module:
    """As `ast.parse`, while nothing is collected.

    CPython counts the depth of all threads in one place. A finalizer that the collection calls in between
    lets another thread parse, too, and CPython 3.11 raises `SystemError: AST constructor recursion depth
    mismatch`.
    """
    gc.disable()
    try:
        return ast.parse(code)
    finally:
        gc.enable()
