"""Which version of the package this is."""

from importlib import metadata


def package_version() -> str:
    """Return the version, or ``unknown`` where the package runs without having been installed."""
    try:
        return metadata.version("leased")
    except metadata.PackageNotFoundError:
        return "unknown"
