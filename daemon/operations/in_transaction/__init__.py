"""The trigger in a caller's own transaction, for each kind of connection that programs have (rule 23).

`door` chooses by the kind; `of_sqlalchemy`, `of_drivers` and `of_django` send statements over it, which
`compiled` writes for a driver; `carriage` takes the steps of a request over what sends them.
"""

from .door import trigger

__all__ = ["trigger"]
