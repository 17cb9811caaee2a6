"""Versions of the packages that results depend on."""

from importlib.metadata import PackageNotFoundError, version


def versions() -> dict[str, str]:
    """The versions by the names of the packages, that of gammapolars first."""
    numbers = {}
    for package in ("gammapolars", "polars", "uproot", "numpy"):
        try:
            numbers[package] = version(package)
        except PackageNotFoundError:
            numbers[package] = "not installed"
    return numbers
