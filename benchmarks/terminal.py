"""The table of a part, shown at the terminal as soon as it is measured."""

from rich import box
from rich.console import Console
from rich.table import Table

from .benchmark import Benchmark
from .document import Part
from .page.numbers import bound, shown

_WIDTH_OF_A_FILE = 160


def show(benchmark: Benchmark, part: Part) -> None:
    """Print its figures, a line each."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    made = Table(
        title=f"{benchmark.title} ({part.seconds:.0f} s)", title_justify="left", title_style="", box=box.SIMPLE
    )
    for heading in ("", "database", "median", "range", "unit", "ratio", "must", ""):
        made.add_column(heading, justify="right" if heading in {"median", "range", "ratio"} else "left", no_wrap=True)
    for figure in part.figures:
        low, high = figure.range
        made.add_row(
            figure.label,
            figure.database,
            shown(figure.median),
            f"{shown(low)}-{shown(high)}",
            figure.unit,
            "" if figure.ratio is None or figure.floor is None else f"{figure.ratio:.2f} x {figure.floor.name}",
            "" if figure.must is None else bound(figure.must),
            {None: "", True: "met", False: "NOT MET"}[figure.met],
        )
    console.print(made)
    for sentence in part.left_out:
        console.print(f"Left out: {sentence}")
