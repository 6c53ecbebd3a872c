"""All small mutations of a Python file: of what it decides and does, not of what it says."""

import ast
import functools
from collections.abc import Iterator

from tests.mutants.random.expressions import Change, mutated_expressions
from tests.mutants.random.source import Mutation, Source, Span

SPOKEN = {"__repr__", "__str__"}
"""Methods that only say something."""
DECIDES = (ast.Compare, ast.BoolOp, ast.UnaryOp)


@functools.cache
def mutations(text: str) -> tuple[Mutation, ...]:
    """Return all mutations of a file that is Python still, in the order of the text."""
    found = _in_block(Source(text), ast.parse(text).body)
    return tuple(sorted({one for one in found if _differs(one, text)}))


def _in_block(source: Source, block: list[ast.stmt]) -> Iterator[Mutation]:
    for statement in block:
        if not _says_only(statement):
            yield from _in_statement(source, statement)


def _in_statement(source: Source, statement: ast.stmt) -> Iterator[Mutation]:
    lines = _own_lines(statement)
    for node, new, what in _mutated_statement(source, statement):
        yield Mutation(node, new, what, lines)
    for expression in _own_expressions(statement):
        for span, new, what in mutated_expressions(source, expression):
            yield Mutation(span, new, what, lines)
    for block in _blocks(statement):
        yield from _in_block(source, block)


def _says_only(statement: ast.stmt) -> bool:
    """Return whether this is for readers and type checkers alone."""
    match statement:
        case ast.Expr(ast.Constant()) | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(ast.Name("TYPE_CHECKING")):
            return True
        case (
            ast.FunctionDef(name=name, decorator_list=decorators)
            | ast.AsyncFunctionDef(name=name, decorator_list=decorators)
        ):
            return name in SPOKEN or any(_named(one) == "overload" for one in decorators)
        case ast.ClassDef(bases=bases):
            return any(_named(base) == "Protocol" for base in bases)
        case ast.Assign(targets=[ast.Name(name)], value=value):
            return name in {"__all__", "__slots__"} or _is_type(name, value)
        case _:
            return False


def _is_type(name: str, value: ast.expr) -> bool:
    """Return whether this is an alias of a type, going by its name too."""
    if name.islower() or name.isupper():
        return False
    return isinstance(value, ast.Subscript) or (isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr))


def _named(node: ast.expr) -> str:
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _named(value)
        case _:
            return ""


def _own_lines(statement: ast.stmt) -> tuple[int, int]:
    """Return the first and last line, without those of the blocks in it."""
    last = min((block[0].lineno - 1 for block in _blocks(statement)), default=statement.end_lineno or 0)
    return statement.lineno, max(statement.lineno, last)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for _, value in ast.iter_fields(statement):
        if isinstance(value, list) and value:
            if isinstance(value[0], ast.stmt):
                yield value
            elif isinstance(value[0], ast.ExceptHandler | ast.match_case):
                yield from (part.body for part in value)


def _own_expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """Return what a statement computes itself: no types, no decorators, and no errors' sentences."""
    match statement:
        case ast.Raise() | ast.ClassDef():
            return
        case ast.FunctionDef(args=arguments) | ast.AsyncFunctionDef(args=arguments):
            yield from (one for one in (*arguments.defaults, *arguments.kw_defaults) if one is not None)
        case ast.AnnAssign(value=value):
            yield from () if value is None else (value,)
        case ast.With(items=items) | ast.AsyncWith(items=items):
            yield from (item.context_expr for item in items)
        case ast.Match(subject=subject, cases=cases):
            yield subject
            yield from (case.guard for case in cases if case.guard is not None)
        case _:
            yield from (child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr))


def _differs(mutation: Mutation, text: str) -> bool:
    """Return whether the mutated file is Python, and another program."""
    if text[mutation.span.start : mutation.span.end] == mutation.new:
        return False
    try:
        compile(mutation.apply(text), "mutated", "exec")
    except SyntaxError:
        return False
    return True


def _mutated_statement(source: Source, node: ast.stmt) -> Iterator[Change]:
    """Return the mutations of a statement itself, without those of the expressions and blocks in it."""
    span = source.span(node)
    match node:
        case ast.Expr(ast.Call(func=ast.Name("assert_never"))) | ast.Raise(exc=ast.Name("NotImplementedError")):
            return
        case ast.Delete(targets=[ast.Name()]):
            return  # says that an argument is not needed
        case ast.Expr(ast.Call() | ast.Await()) | ast.AugAssign() | ast.Delete() | ast.Raise():
            yield span, "pass", "a statement deleted"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
            yield span, "pass", "a statement deleted"
        case ast.Expr(ast.Yield() | ast.YieldFrom()):
            return
        case ast.Break():
            yield span, "continue", "break to continue"
        case ast.Continue():
            yield span, "break", "continue to break"
        case ast.Return(value) if value is not None:
            yield from _returned(span, value)
        case ast.If(test=test) | ast.While(test=test) if not isinstance(test, ast.Constant):
            yield source.span(test), f"not ({source.of(test)})", "a condition reversed"
        case ast.Try(handlers=handlers):
            for handler in handlers:
                yield from _handled(source, handler)
        case _:
            pass


def _returned(span: Span, value: ast.expr) -> Iterator[Change]:
    if isinstance(value, DECIDES):
        yield span, "return True", "another result"
        yield span, "return False", "another result"
    elif isinstance(value, ast.Constant) and isinstance(value.value, bool):
        return  # a constant, changed as such
    elif not (isinstance(value, ast.Constant) and value.value is None):
        yield span, "return None", "another result"


def _handled(source: Source, handler: ast.ExceptHandler) -> Iterator[Change]:
    body = Span(source.span(handler.body[0]).start, source.span(handler.body[-1]).end)
    for new in ("raise", "pass"):
        if source.text[body.start : body.end] != new:
            yield body, new, f"an error handled by {new}"
