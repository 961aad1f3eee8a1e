"""`url`, `env`, `list` and `openapi`: where stacks are, for people, curl, boto3 and writers of clients."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ordernotify.cli import app
from ordernotify.cli.options import JsonOption
from ordernotify.cli.run import Run, command
from ordernotify.settings.names import Target

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_OTHER_ROADS = re.compile(
    "AWS_(ENDPOINT_URL_.*|IGNORE_CONFIGURED_ENDPOINT_URLS|USE_FIPS_ENDPOINT|USE_DUALSTACK_ENDPOINT)"
)
"""What goes before AWS_ENDPOINT_URL, or does not go with it."""


@command(app, "url")
def url(run: Run, json: JsonOption = False) -> None:
    """Print the invoke URL, to which orders are posted, and nothing else.

    Example: curl -d '{"customerName": "A", "productName": "B"}' \\
        "$(ordernotify url)"
    """
    cloud, names = run.open()
    from ordernotify.render import json_document, out
    from ordernotify.stack.discovery import find_endpoint

    found = find_endpoint(cloud, names, run.stack).url
    if json:
        json_document({"url": found})
    else:
        out.print(found)


@command(app, "env")
def env(run: Run, json: JsonOption = False) -> None:
    """Print the variables for the AWS command line and boto3 to reach the same place, to `eval`.

    Example: eval "$(ordernotify env)" && aws dynamodb list-tables
    """
    cloud = run.cloud()
    from ordernotify.render import json_document, out

    variables, unset = _variables(cloud, run.profile)
    if json:
        json_document(variables)
        return
    # With a semicolon, so that `eval $(…)` without quotes works too.
    for name in unset:
        out.print(f"unset {name};")
    for name, value in variables.items():
        out.print(f"export {name}={shlex.quote(value)};")


def _variables(cloud: Cloud, profile: str | None) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Return the variables to set, and those that would lead elsewhere."""
    region = {"AWS_REGION": cloud.region, "AWS_DEFAULT_REGION": cloud.region}
    if cloud.target is Target.AWS:
        # botocore takes keys from the environment before a profile that the environment names.
        return ({**region, "AWS_PROFILE": profile}, _KEYS) if profile else (region, ())
    credentials = cloud.credentials
    assert credentials is not None, "the embedded cloud has fixed ones"
    return {
        "AWS_ENDPOINT_URL": str(cloud.endpoint),
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        **region,
    }, ("AWS_PROFILE", "AWS_SESSION_TOKEN", *filter(_OTHER_ROADS.fullmatch, os.environ))


@command(app, "list")
def list_(run: Run, json: JsonOption = False) -> None:
    """Show the stacks of this account and region: name, kind of API, invoke URL.

    Example: ordernotify list --json
    """
    cloud = run.cloud()
    from ordernotify import render
    from ordernotify.render.places import show_stacks, stack_documents
    from ordernotify.stack.discovery import list_stacks

    found = list_stacks(cloud)
    if json:
        render.json_lines(stack_documents(found))
    else:
        show_stacks(found)


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
