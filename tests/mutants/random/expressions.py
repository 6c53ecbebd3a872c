"""The mutations of an expression: comparisons, signs, logic, constants, arguments, SQL conditions."""

import ast
from collections.abc import Iterator

from tests.mutants.random.source import Source, Span

Change = tuple[Span, str, str]
"""Where, what instead, and what kind of mutation that is."""

COMPARED: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<")),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
COMPUTED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
DROPPED = {"order_by", "limit", "with_for_update", "where"}
"""Parts of a SQL statement without which it is one still."""
UNTOUCHED = {"assert_never", "cast", "TypeVar", "TypeVarTuple", "getLogger", "info", "warning", "debug", "error", "log"}
"""Calls for type checkers and for people."""
LONGEST_WORD = 30


def mutated_expressions(source: Source, node: ast.AST) -> Iterator[Change]:
    """Return the mutations of an expression and of all in it."""
    match node:
        case ast.JoinedStr() | ast.Lambda(args=ast.arguments(defaults=[_, *_])):
            return  # what is said to people
        case ast.Call(func=ast.Name(name) | ast.Attribute(attr=name)) if name in UNTOUCHED:
            return
        case ast.Constant():
            yield from _constant(source, node)
        case ast.Compare():
            yield from _comparison(source, node)
        case ast.BoolOp():
            yield from _logic(source, node)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in COMPUTED:
            sign, other = COMPUTED[type(op)]
            yield source.operator(left, right, sign), other, f"{sign} to {other}"
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield source.span(node), f"({source.of(operand)})", "a sign or a `not` dropped"
        case ast.IfExp(test=test) | ast.comprehension(ifs=[test, *_]):
            yield source.span(test), f"(not ({source.of(test)}))", "a condition reversed"
        case ast.Await(ast.Call(args=[first, second, *_])) if not isinstance(first, ast.Starred):
            swapped = Span(source.span(first).start, source.span(second).end)
            yield swapped, f"{source.of(second)}, {source.of(first)}", "arguments swapped"
    if isinstance(node, ast.Call):
        yield from _call(source, node)
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.keyword) and _names(child)):
            yield from mutated_expressions(source, child)


def _constant(source: Source, node: ast.Constant) -> Iterator[Change]:
    match node.value:
        case bool(value):
            yield source.span(node), str(not value), "a constant changed"
        case int(value):
            yield source.span(node), str(value + 1), "a constant changed"
        case float(value):
            yield source.span(node), str(value * 3 or 1.0), "a constant changed"
        case str(value) if value and " " not in value and len(value) <= LONGEST_WORD:
            yield source.span(node), repr(f"{value}x"), "a constant changed"


def _comparison(source: Source, node: ast.Compare) -> Iterator[Change]:
    operands = [node.left, *node.comparators]
    for left, op, right in zip(operands, node.ops, operands[1:], strict=False):
        sign, others = COMPARED[type(op)]
        for other in others:
            yield source.operator(left, right, sign), other, f"{sign} to {other}"


def _logic(source: Source, node: ast.BoolOp) -> Iterator[Change]:
    sign, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    for left, right in zip(node.values, node.values[1:], strict=False):
        yield source.operator(left, right, sign), other, f"{sign} to {other}"
    for one in node.values:
        yield source.span(one), str(sign == "and"), "a condition dropped"


def _call(source: Source, node: ast.Call) -> Iterator[Change]:
    """A link of a chain of SQL, one of its conditions, or an argument that has a default."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in DROPPED:
        link = Span(source.span(node.func.value).end, source.span(node).end)
        if ")" not in source.text[link.start : source.span(node).start]:
            yield link, "", f"{node.func.attr} dropped"
        if node.func.attr == "where":
            yield from _without(source, node, [*node.args], "an SQL condition dropped")
    keywords: list[ast.AST] = [one for one in node.keywords if one.arg is not None and not _names(one)]
    yield from _without(source, node, keywords, "an argument dropped")


def _names(keyword: ast.keyword) -> bool:
    """Return whether it names a thread, a task or a constraint for people."""
    return keyword.arg == "name" and isinstance(keyword.value, ast.Constant | ast.JoinedStr)


def _without(source: Source, call: ast.Call, arguments: list[ast.AST], what: str) -> Iterator[Change]:
    everything = sorted(source.span(one) for one in (*call.args, *call.keywords))
    if len(everything) < 2 and what == "an SQL condition dropped":
        return  # the whole link is dropped instead
    for argument in arguments:
        span = source.span(argument)
        place = everything.index(span)
        if place + 1 < len(everything):
            yield Span(span.start, everything[place + 1].start), "", what
        else:
            yield Span(everything[place - 1].end if place else span.start, span.end), "", what
