"""Addresses in the AWS console of what a stack is made of."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from ordernotify.aws.endpoints import console_home
from ordernotify.aws.session import Cloud
from ordernotify.settings.names import Names


def links(cloud: Cloud, names: Names) -> Mapping[str, str]:
    """Return the addresses by part of the path; none for the embedded cloud and unknown partitions."""
    home, region = console_home(cloud), f"region={cloud.region}"
    if not home:
        return {}
    return {
        "api": f"{home}/apigateway/main/apis?{region}",
        "function": f"{home}/lambda/home?{region}#/functions/{quote(names.function)}",
        "table": f"{home}/dynamodbv2/home?{region}#table?name={quote(names.table)}",
        "topic": f"{home}/sns/v3/home?{region}#/topic/{cloud.arn('sns', names.topic)}",
        "subscribers": f"{home}/sns/v3/home?{region}#/topic/{cloud.arn('sns', names.topic)}",
    }
