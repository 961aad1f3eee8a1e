"""Whether what is installed is what the package asks for."""

from __future__ import annotations

import importlib.metadata
import operator
import platform
import re
from collections.abc import Callable, Iterable, Iterator

PACKAGE = "ordernotify"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?\s*(?P<bounds>[^;]*)(;(?P<marker>.*))?")
_BOUND = re.compile(r"(>=|<=|==|<|>)\s*([0-9][0-9.]*)")
_COMPARE = {">=": operator.ge, "<=": operator.le, "==": operator.eq, "<": operator.lt, ">": operator.gt}

VersionOf = Callable[[str], str]
"""Returns the installed version of a distribution; raises PackageNotFoundError."""


def requirements() -> list[str]:
    """Return what the installed package asks for, in the words of its metadata."""
    return importlib.metadata.requires(PACKAGE) or []


def python_bounds() -> str:
    """Return the versions of Python that the installed package is for, such as `>=3.11,<3.15`."""
    return importlib.metadata.metadata(PACKAGE)["Requires-Python"] or ""


def unmet(version_of: VersionOf, listed: Iterable[str], python: str) -> Iterator[str]:
    """Name what is too old, too new or missing; what only an extra asks for may be missing."""
    if not _fits(platform.python_version(), python):
        yield f"Python {platform.python_version()} (needed: {python})"
    for text in listed:
        asked = _REQUIREMENT.fullmatch(text.strip())
        if asked is None or asked["name"] == PACKAGE:
            continue
        try:
            version = version_of(asked["name"])
        except importlib.metadata.PackageNotFoundError:
            if "extra" not in (asked["marker"] or ""):
                yield f"{asked['name']}, which is not installed"
            continue
        if not _fits(version, asked["bounds"]):
            yield f"{asked['name']} {version} (needed: {asked['bounds'].strip()})"


def _fits(version: str, bounds: str) -> bool:
    return all(
        _COMPARE[comparison](_numbers(version), _numbers(bound))
        for comparison, bound in _BOUND.findall(bounds)
    )


def _numbers(version: str) -> tuple[int, ...]:
    """Read the release, without the zeros at its end: 1.40 and 1.40.0 are the same."""
    leading = re.match(r"[0-9]+(\.[0-9]+)*", version)
    numbers = [int(part) for part in leading[0].split(".")] if leading else [0]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
