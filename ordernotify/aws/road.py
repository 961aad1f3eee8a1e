"""The road that requests take: through which proxy, and which certificate authorities they trust."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Road:
    """How a URL is reached: through which proxy, and which authorities are trusted.

    `proxy` is a URL, None for a direct connection. `ca_bundle` is a file of certificates in PEM form; None
    trusts those of the machine.
    """

    proxy: str | None = None
    ca_bundle: str | None = None


DIRECT = Road()
