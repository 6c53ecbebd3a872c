"""What `everything.toml` calls. A function is stored by its own module and qualified name, whatever `call` says."""

import functools
from urllib.parse import quote

__all__ = ["ALIAS", "BOUND", "CALLER", "HALF", "Prices", "Report_of", "half", "quote", "refresh_prices", "tidy_up"]


def tidy_up(run: object) -> None: ...


async def refresh_prices(run: object) -> None: ...


async def half(part: int, run: object) -> None: ...


class Prices:
    def one_by_one(self, run: object) -> None: ...

    @staticmethod
    def load_all(run: object) -> None: ...

    @classmethod
    async def of_class(cls, run: object) -> None: ...

    class Old:
        @staticmethod
        def forget(run: object) -> None: ...


class Caller:
    def __call__(self, run: object) -> None: ...


class Report_of:  # noqa: N801 (its name becomes that of the job)
    def __init__(self, run: object) -> None: ...


ALIAS = tidy_up
BOUND = Prices().one_by_one
CALLER = Caller()
HALF = functools.partial(half, 1)
