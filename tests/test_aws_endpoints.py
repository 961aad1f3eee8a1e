"""Where an API answers and what the function calls, whatever the person's shell says (AWS-FACTS 27, 28)."""

from __future__ import annotations

import itertools

import boto3
import pytest
from botocore.config import Config

from ordernotify.aws.endpoints import is_aws
from ordernotify.aws.session import Cloud, aws_cloud, local_cloud
from ordernotify.resources.api.listing import invoke_url
from ordernotify.resources.function import Function
from ordernotify.settings.model import Settings
from tests.moto_account import ACCOUNT_ID

SUFFIXES = {
    "eu-west-1": "amazonaws.com",
    "cn-north-1": "amazonaws.com.cn",
    "us-gov-west-1": "amazonaws.com",
    "eusc-de-east-1": "amazonaws.eu",
    "us-iso-east-1": "c2s.ic.gov",
}
"""A region of each partition that there is an account of, and of an isolated one."""
FIPS = {"AWS_USE_FIPS_ENDPOINT": "true"}
DUAL_STACK = {"AWS_USE_DUALSTACK_ENDPOINT": "true"}
SERVICES = {"API_GATEWAY": "apigateway", "DYNAMODB": "dynamodb", "SNS": "sns", "LAMBDA": "lambda"}
VPC_ENDPOINTS = {
    f"AWS_ENDPOINT_URL_{variable}": f"https://vpce-0a1b-2c3d.{service}.{{region}}.vpce.{{suffix}}"
    for variable, service in SERVICES.items()
}
DATABASE_HERE = {
    "AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:8000",
    "AWS_ENDPOINT_URL_SNS": "http://localhost:9911",
}
SHELLS = {
    "plain": {},
    "fips": FIPS,
    "dual-stack": DUAL_STACK,
    "fips and dual-stack": FIPS | DUAL_STACK,
    "vpc endpoints": VPC_ENDPOINTS,
    "a database on this machine": DATABASE_HERE,
    "all at once": FIPS | DUAL_STACK | VPC_ENDPOINTS | DATABASE_HERE,
}


def shell(monkeypatch: pytest.MonkeyPatch, region: str, variables: dict[str, str]) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", **variables}.items():
        monkeypatch.setenv(name, value.format(region=region, suffix=SUFFIXES.get(region)))


def endpoints_of_function(cloud: Cloud) -> dict[str, str]:
    cloud._account = ACCOUNT_ID
    environment = Function(Settings(), cloud).described({}).environment
    return {name: value for name, value in environment.items() if name.startswith("AWS_")}


@pytest.mark.parametrize(("region", "shown"), list(itertools.product(SUFFIXES, SHELLS)))
def test_row_27_and_28_url_and_function_know_nothing_of_the_persons_shell(
    monkeypatch: pytest.MonkeyPatch, region: str, shown: str
) -> None:
    shell(monkeypatch, region, SHELLS[shown])
    cloud, suffix = aws_cloud(region), SUFFIXES[region]
    assert invoke_url(cloud, "a1", "prod") == f"https://a1.execute-api.{region}.{suffix}/prod/orders"
    assert endpoints_of_function(cloud) == {
        "AWS_ENDPOINT_URL_DYNAMODB": f"https://dynamodb.{region}.{suffix}",
        "AWS_ENDPOINT_URL_SNS": f"https://sns.{region}.{suffix}",
    }


@pytest.mark.parametrize(("region", "service"), list(itertools.product(SUFFIXES, ["dynamodb", "sns"])))
def test_the_functions_endpoints_are_those_of_botocores_own_rules(region: str, service: str) -> None:
    plain = Config(use_fips_endpoint=False)
    client = boto3.Session("a", "b", region_name=region).client(service, config=plain)  # type: ignore[call-overload]
    expected = client.meta.endpoint_url
    cloud = Cloud(boto3.Session("a", "b", region_name=region))
    assert endpoints_of_function(cloud)[f"AWS_ENDPOINT_URL_{service.upper()}"] == expected


@pytest.mark.parametrize("variables", SHELLS.values(), ids=SHELLS.keys())
def test_the_embedded_cloud_is_called_whatever_the_shell_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    shell(monkeypatch, "eu-west-1", variables)
    cloud = local_cloud("http://127.0.0.1:4566")
    assert invoke_url(cloud, "a1", "prod") == "http://127.0.0.1:4566/_aws/execute-api/a1/prod/orders"
    assert set(endpoints_of_function(cloud).values()) == {"http://127.0.0.1:4566"}


@pytest.mark.parametrize("region", SUFFIXES)
def test_another_emulator_answers_under_its_own_url(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    shell(monkeypatch, region, {"AWS_ENDPOINT_URL": "http://localhost:5000"})
    cloud = aws_cloud(region)
    assert invoke_url(cloud, "a1", "prod") == "http://localhost:5000/_aws/execute-api/a1/prod/orders"
    assert set(endpoints_of_function(cloud).values()) == {"http://localhost:5000"}


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("https://apigateway.eu-central-1.amazonaws.com", True),
        ("https://apigateway-fips.us-gov-west-1.amazonaws.com:443/", True),
        ("https://vpce-1-2.execute-api.cn-north-1.vpce.amazonaws.com.cn", True),
        ("https://lambda.eusc-de-east-1.api.amazonwebservices.eu", True),
        ("https://amazonaws.com.example.com", False),
        ("https://notamazonaws.com", False),
        ("http://localhost.localstack.cloud:4566", False),
        ("http://127.0.0.1:4566", False),
        ("not a url", False),
    ],
)
def test_an_endpoint_is_aws_by_its_host(endpoint: str, *, expected: bool) -> None:
    assert is_aws(endpoint) is expected
