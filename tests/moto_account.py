"""An AWS account in memory (moto) whose every call can be seen and interfered with.

moto answers through botocore's event system. An `Account` takes moto's place there: each request passes its
`interfere`, which may let it through, answer in moto's place, or break the connection before or after.
"""

from __future__ import annotations

import functools
import json
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

import boto3
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.model import OperationModel
from moto import mock_aws
from moto.awslambda.models import lambda_backends
from moto.core.models import botocore_stubber

from ordernotify.aws.session import Cloud
from ordernotify.settings.names import Target
from tests.aws_answers import Call, Interference, pass_through, refusal

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
_NAMES = (
    "Endpoint",
    "TableName",
    "ResourceArn",
    "ResourceARN",
    "TopicArn",
    "Name",
    "QueueName",
    "QueueUrl",
    "RoleName",
    "logGroupName",
    "FunctionName",
    "AlarmName",
    "AlarmNames",
    "DashboardName",
    "DashboardNames",
    "name",
    "pathPart",
    "httpMethod",
    "stageName",
)
"""The parameters that name what a call is about, and are the same in every run."""


class Account:
    """An AWS account in memory; a context manager, one at a time."""

    def __init__(self) -> None:
        """Describe the account; it exists inside `with`."""
        self.interfere: Interference = pass_through
        self.calls: list[Call] = []
        self._moto = mock_aws()
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def __enter__(self) -> Self:
        """Make the account, empty."""
        self._moto.start()
        _Watched.account = self
        return self

    def __exit__(self, *_: object) -> None:
        """Forget the account."""
        _Watched.account = None
        self._moto.stop()

    def begin_anew(self) -> None:
        """Empty the account, and let every call through."""
        self.__exit__()
        self.__enter__()
        self.interfere = pass_through
        self.forget_calls()

    def cloud(self, target: Target = Target.AWS) -> Cloud:
        """Open the account as the code under test does; the calls are recorded and interfered with."""
        return Cloud(_watched_session(), target)

    def client(self, service: str) -> Any:
        """Open the account as an independent observer, who is neither recorded nor interfered with."""
        return _observing_session().client(service)

    @property
    def changing_calls(self) -> list[Call]:
        """The calls so far that change something."""
        return [call for call in self.calls if call.changes_something]

    def forget_calls(self) -> None:
        """Begin the record of calls anew."""
        self.calls = []
        self._counts.clear()

    def begin(self, params: Mapping[str, Any], model: OperationModel) -> Call:
        """Record a call that is about to be made."""
        service, name = model.service_model.service_name, _name_in(params)
        with self._lock:
            self._counts[service, model.name, name] += 1
            call = Call(service, model.name, name, self._counts[service, model.name, name], params, model)
            self.calls.append(call)
        return call


class _Watched:
    """The events of the session that the code under test gets; they go to the account of the moment."""

    account: Account | None = None

    def __init__(self) -> None:
        self._thread = threading.local()
        self._moto_lock = threading.RLock()  # moto's own data are not made for threads

    def begin(self, params: Mapping[str, Any], model: OperationModel, **_: object) -> None:
        """Record the call; its requests come in the same thread."""
        assert self.account is not None, f"{model.name} would have left the process"
        self._thread.call = self.account.begin(params, model)

    def send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Answer a request in place of the network."""

        call: Call = self._thread.call

        def apply() -> AWSResponse:
            with self._moto_lock:
                answered = _refused_by_aws(call) or _answered_by_moto(call, request)
            assert answered is not None, f"{request.url} would have left the process"
            _keep_what_moto_drops(call)
            return answered

        assert self.account is not None, f"{request.url} would have left the process"
        return self.account.interfere(call, apply)


def _answered_by_moto(call: Call, request: AWSPreparedRequest) -> AWSResponse | None:
    try:
        return botocore_stubber("before-send", request)
    except (KeyError, ValueError):
        # How moto takes the second removal of an API, a key, a usage plan or its stage.
        assert call.operation.startswith(("Delete", "UpdateUsagePlan")), call
        return refusal(call, "NotFoundException", "Invalid identifier specified", 404)


def _keep_what_moto_drops(call: Call) -> None:
    """Apply the parts of a call that moto answers without keeping them."""
    if call.operation == "UpdateFunctionConfiguration":
        function = lambda_backends[ACCOUNT_ID][REGION].get_function(call.params["FunctionName"])
        function.tracing_config = call.params.get("TracingConfig", function.tracing_config)
        function.kms_key_arn = call.params.get("KMSKeyArn", function.kms_key_arn)


def _refused_by_aws(call: Call) -> AWSResponse | None:
    """Refuse what AWS refuses and moto does not: what repeated calls lead to."""
    check = {
        "CreateResource": _resource_exists,
        "CreateRoute": _route_exists,
        "AddPermission": _statement_exists,
    }.get(call.operation)
    return check(call) if check else None


def _resource_exists(call: Call) -> AWSResponse | None:
    resources = _observing_session().client("apigateway").get_resources(restApiId=call.params["restApiId"])
    part = call.params["pathPart"]
    if part not in {item.get("pathPart") for item in resources["items"]}:
        return None
    text = f"Another resource with the same parent already has this name: {part}"
    return refusal(call, "ConflictException", text, 409)


def _route_exists(call: Call) -> AWSResponse | None:
    routes = _observing_session().client("apigatewayv2").get_routes(ApiId=call.params["ApiId"])["Items"]
    key = call.params["RouteKey"]
    if key not in {route["RouteKey"] for route in routes}:
        return None
    text = f"Route with key {key} already exists for this API"
    return refusal(call, "ConflictException", text, 409)


def _statement_exists(call: Call) -> AWSResponse | None:
    function, sid = call.params["FunctionName"], call.params["StatementId"]
    client = _observing_session().client("lambda")
    with suppress(client.exceptions.ResourceNotFoundException):
        policy = json.loads(client.get_policy(FunctionName=function)["Policy"])
        if sid in {statement["Sid"] for statement in policy["Statement"]}:
            text = f"The statement id ({sid}) provided already exists. Please provide a new statement id."
            return refusal(call, "ResourceConflictException", text, 409)
    return None


class _Session(boto3.Session):
    """A session that makes each client once: making clients takes most of the time of a test."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._made: dict[str, Any] = {}

    def client(self, service_name: str, *arguments: Any, **more: Any) -> Any:
        if service_name not in self._made:
            make: Any = super().client  # the stubs want the service's name as a literal
            self._made[service_name] = make(service_name, *arguments, **more)
        return self._made[service_name]


@functools.cache
def _watched_session() -> _Session:
    session, watched = _new_session(), _Watched()
    events: Any = session.events  # the stubs know no handlers that return something
    events.unregister("before-send", botocore_stubber)
    events.register("before-parameter-build", watched.begin)
    events.register("before-send", watched.send)
    return session


@functools.cache
def _observing_session() -> _Session:
    return _new_session()


def _new_session() -> _Session:
    return _Session(
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        botocore_session=botocore.session.Session(),
    )


def _name_in(params: Mapping[str, Any]) -> str:
    found = next((params[key] for key in _NAMES if key in params), "")
    name = found[0] if isinstance(found, list) else str(found)
    # The ARN of a stage holds the API's id, which is another one in every run.
    last_part = name.startswith("http") or "/restapis/" in name
    return name.rpartition("/" if last_part else ":")[2]
