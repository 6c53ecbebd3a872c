"""The mutations of a statement: deleted, another result, another reaction to an error."""

import ast
from collections.abc import Iterator

from tests.mutants.random.expressions import Change
from tests.mutants.random.mutation import Span
from tests.mutants.random.source import Source

DECIDES = (ast.Compare, ast.BoolOp, ast.UnaryOp)


def mutated_statement(source: Source, node: ast.stmt) -> Iterator[Change]:
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
