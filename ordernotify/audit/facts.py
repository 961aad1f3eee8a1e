"""What the controls ask about a live stack: the states that `find` reads, and a few more facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ordernotify import provision
from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.rest_stage import RestApiState
from ordernotify.resources.base import AnyLive, Resource
from ordernotify.settings.names import Names, Target

Wanted = TypeVar("Wanted")


@dataclass(frozen=True, slots=True)
class Facts:
    """The stack's live resources and their names, by key; `embedded`: it lives on the embedded cloud."""

    live: Mapping[str, AnyLive]
    names: Mapping[str, str]
    embedded: bool
    function: Mapping[str, Any] = field(default_factory=dict)
    """The function's configuration in Lambda's words; empty without a function."""
    stage: Mapping[str, Any] = field(default_factory=dict)
    """A REST API's stage in API Gateway's words; empty without one."""

    def states(self, kind: type[Wanted]) -> dict[str, Wanted]:
        """Map the name of each live resource with this kind of state to its state."""
        return {
            self.names[key]: live.state for key, live in self.live.items() if isinstance(live.state, kind)
        }

    def the(self, kind: type[Wanted]) -> Wanted | None:
        """Return the state of the one live resource of the kind; None if there is none."""
        return next(iter(self.states(kind).values()), None)


def calls(cloud: Cloud, names: Names) -> Calls:
    """What auditing calls in addition to what `status` calls."""
    return (
        allow("lambda", "GetFunctionConfiguration", on=cloud.arn("lambda", f"function:{names.function}")),
        allow("apigateway", "GetStages"),
    )


def gather(cloud: Cloud, resources: Sequence[Resource[Any]]) -> Facts:
    """Read the states, and what they do not hold, such as network, dead letters and caches; raises AwsError.

    What is another program's is none of the stack's.
    """
    found = provision.find_all(resources)
    live = {key: one for key, one in found.items() if one is not None and one.owned}
    names = {resource.key: resource.name for resource in resources}
    function: Mapping[str, Any] = {}
    if "function" in live:
        with map_botocore_errors("read", "function", names["function"]):
            function = cloud.lambda_.get_function_configuration(FunctionName=names["function"])
    stage: Mapping[str, Any] = {}
    if "api" in live and isinstance(state := live["api"].state, RestApiState):
        with map_botocore_errors("read", "API", names["api"]):
            stages = cloud.apigateway.get_stages(restApiId=state.id)["item"]
        stage = next((one for one in stages if one["stageName"] in state.stages), {})
    return Facts(live, names, cloud.target is Target.LOCAL, function, stage)
