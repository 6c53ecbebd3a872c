"""The version of the installed package."""

from importlib import metadata


def package_version() -> str:
    """Return the version, or ``unknown`` where the package runs without being installed."""
    try:
        return metadata.version("leased")
    except metadata.PackageNotFoundError:
        return "unknown"
