"""`openapi`: the order API of a stack, for those who write clients."""

from __future__ import annotations

from ordernotify.cli import app
from ordernotify.cli.run import Run, command


@command(app, "openapi")
def openapi(run: Run) -> None:
    """Print the OpenAPI 3.1 description of the stack's order API, with its URL and what it asks of a client.

    Example: ordernotify openapi > openapi.json
    """
    cloud, names = run.open()
    import json
    import sys
    from importlib.metadata import version

    from ordernotify.stack.discovery import find_endpoint
    from ordernotify.stack.openapi import openapi as describe

    endpoint = find_endpoint(cloud, names, run.stack)
    sys.stdout.write(json.dumps(describe(endpoint, version("ordernotify")), indent=2) + "\n")
