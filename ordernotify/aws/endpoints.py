"""Where AWS answers, from region and partition alone; and whether an endpoint is AWS's at all."""

from __future__ import annotations

import functools
from urllib.parse import urlsplit

from ordernotify.aws.session import Cloud, unconfigured_session
from ordernotify.settings.names import Target

_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def is_aws(endpoint: str) -> bool:
    """Whether the URL is AWS's: the plain host of a service, a FIPS or dual-stack host, a VPC endpoint."""
    host = (urlsplit(endpoint).hostname or "").rstrip(".")
    suffixes = (suffix for pair in _suffixes().values() for suffix in pair)
    return any(host.endswith(f".{suffix}") for suffix in suffixes)


def function_endpoint(cloud: Cloud, service: str) -> str:
    """Return the URL at which the function reaches a service.

    FIPS, dual-stack and VPC endpoints and `AWS_ENDPOINT_URL_*` belong to the machine that runs setup: the
    function does not use them on AWS (AWS-FACTS 28). On an emulator it calls the emulator. The endpoint of
    Lambda tells which of the two it is.
    """
    if is_aws(cloud.endpoint_for("lambda")):
        return f"https://{service}.{cloud.region}.{dns_suffix(cloud)}"
    return cloud.endpoint_for(service)


def api_endpoint(cloud: Cloud, api_id: str) -> str:
    """Return the URL of an API without a stage; an emulator's APIs are under its own URL.

    The management calls may go to a FIPS, dual-stack or VPC endpoint; requests to the API do not
    (AWS-FACTS 27).
    """
    management = cloud.endpoint_for("apigateway")
    if is_aws(management):
        return f"https://{api_id}.execute-api.{cloud.region}.{dns_suffix(cloud)}"
    return f"{management.rstrip('/')}/_aws/execute-api/{api_id}"


def console_home(cloud: Cloud) -> str:
    """Return the URL of the AWS console; empty for the embedded cloud and partitions without a known one."""
    host = _CONSOLES.get(cloud.partition)
    return f"https://{cloud.region}.{host}" if host and cloud.target is Target.AWS else ""


def dns_suffix(cloud: Cloud) -> str:
    return _suffixes()[cloud.partition][0]


@functools.cache
def _suffixes() -> dict[str, tuple[str, str]]:
    """Map each partition to the suffixes of its plain and its dual-stack hosts, from botocore's data."""
    partitions = unconfigured_session().get_data("partitions")["partitions"]
    outputs = {partition["id"]: partition["outputs"] for partition in partitions}
    return {name: (found["dnsSuffix"], found["dualStackDnsSuffix"]) for name, found in outputs.items()}
