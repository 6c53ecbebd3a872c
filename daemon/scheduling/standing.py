"""How the definitions of a replica stand among the generations, as a sentence for people. Pure."""

from lease.durations import format_duration

from .generations import Order


def describe(order: Order, digest: str, takeover_after: float, for_good_after: float) -> str:
    """Return how the definitions ``digest`` stand, and what comes next and when."""
    own, newest, ruler = order.latest(digest), order.newest, order.ruler
    if own is None or newest is None or ruler is None:
        return "these definitions have no generation yet"
    me = f"generation {own.number}"
    if own.rules:
        if own.rank >= newest.rank:
            return f"{me} is current: its definitions are in the database"
        return (
            f"{me} stands in for generation {newest.number}, of which no replica is ready; it retires nothing, and is "
            f"put on top for good when that has been so for {format_duration(for_good_after)}"
        )
    if own.is_staged:
        return f"{me} is staged: it is current from its first ready replica on"
    if own.rank >= newest.rank:
        return (
            f"{me} is next: generation {ruler.number} stands in for it until a replica of it has been ready for "
            f"{format_duration(takeover_after)}"
        )
    return (
        f"{me} is superseded by generation {newest.number}: this replica changes no definition; if no replica of a "
        f"newer one is ready for {format_duration(takeover_after)}, this one stands in for it. To make its definitions "
        "current now, start it with --take-over"
    )
