"""The errors of the library: one sentence each, for the person who reads it, without a password."""


class LeaseError(Exception):
    """The base class of every error of this library."""


class LeaseNotAcquired(LeaseError):
    """Another client holds the lease, and the wait (if any) is over.

    ``holder``, ``label``, ``token`` and ``held_for`` (seconds) describe the holder, as far as it is known.
    ``waited`` is how long you waited, in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        holder: str | None = None,
        label: str | None = None,
        token: int | None = None,
        held_for: float | None = None,
        waited: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.name = name
        self.holder = holder
        self.label = label
        self.token = token
        self.held_for = held_for
        self.waited = waited


class LeaseLost(LeaseError):
    """This grant has ended, or can no longer be trusted; `cause` says why (rule 9)."""

    def __init__(self, message: str, *, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause if cause is not None else message


class NeverGranted(LeaseLost):
    """The database has never granted this: it is not the lease's database, or it was restored from an older backup."""


class StaleToken(LeaseError):
    """A gate has admitted a higher token already (rule 12)."""


class StoreUnavailable(LeaseError):
    """The database did not answer in time, or failed. The request may or may not have taken effect."""


class SchemaMissing(LeaseError):
    """The database does not have leased's tables: create them with `lease.create_tables`."""


class InvalidTiming(LeaseError, ValueError):
    """Durations that do not fit together; the message says which and why (rule 3)."""


class InvalidDuration(LeaseError, ValueError):
    """A value that is not a duration."""


class InvalidName(LeaseError, ValueError):
    """A lease's name that is empty, too long, reserved, or has control characters."""
