"""Numbers as people read them."""

from ..figures import Must

TIMES = "\N{MULTIPLICATION SIGN}"
TO = "\N{EN DASH}"


def shown(value: float) -> str:
    """Return a value with three digits that mean something, or with all of them before the point."""
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}".removesuffix(".0")
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:.2g}" if size >= 0.001 else f"{value:.0e}"


def bound(must: Must) -> str:
    """Return what is asked for."""
    return f"at {must.at} {must.limit:,g}"
