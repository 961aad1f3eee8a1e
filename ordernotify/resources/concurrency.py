"""Production: how many of the account's concurrent executions are the function's own, and its limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes, read_or_none
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import Live, Needed, Resource, Step, Verb

_ABSENT = "ResourceNotFoundException"
_TOO_MANY = ("InvalidParameterValueException", "UnreservedConcurrentExecution below its minimum")
"""AWS-FACTS 19."""


@dataclass(frozen=True, slots=True)
class ConcurrencyState:
    """How many executions are reserved."""

    reserved: int


class Concurrency(Resource[ConcurrencyState]):
    """The function's reserved concurrency; without it, the function shares the account's."""

    kind = "concurrency"
    needs: tuple[str, ...] = ("function",)
    part_of = "function"
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        """The function's name: its concurrency has none."""
        return self.settings.names.function

    @property
    def wanted(self) -> bool:
        return self.settings.concurrency is not None

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """Everything is on the function."""
        calls = {
            Verb.FIND: "GetFunction",
            Verb.CREATE: "PutFunctionConcurrency",
            Verb.UPDATE: "PutFunctionConcurrency",
            Verb.DELETE: "DeleteFunctionConcurrency",
        }
        function = self.cloud.arn("lambda", f"function:{self.name}")
        return {verb: (allow("lambda", name, on=function),) for verb, name in calls.items()}

    def described(self, needed: Needed) -> ConcurrencyState:
        return ConcurrencyState(self.settings.concurrency or 0)

    def find(self) -> Live[ConcurrencyState] | None:
        """Read what is reserved; None if nothing is."""
        answer = read_or_none(lambda: self.cloud.lambda_.get_function(FunctionName=self.name), _ABSENT)
        if answer is None:
            return None
        # Without a reservation AWS leaves the number out, and emulators say null. 0 turns the function off.
        reserved: int | None = answer.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        return None if reserved is None else Live("", ConcurrencyState(reserved))

    def create(self, step: Step) -> Live[ConcurrencyState]:
        wanted = self.described(step.needed)
        try:
            self.cloud.lambda_.put_function_concurrency(
                FunctionName=self.name, ReservedConcurrentExecutions=wanted.reserved
            )
        except ClientError as error:
            if has_code(error, _TOO_MANY[0], text=_TOO_MANY[1]):
                raise OrderNotifyError(
                    f"the account cannot spare {wanted.reserved} concurrent executions: too few would be "
                    "left for its other functions",
                    "Give a smaller --concurrency, or ask AWS for a higher quota (Service Quotas, Lambda, "
                    "Concurrent executions).",
                ) from error
            raise
        return Live("", wanted)

    def update(self, live: Live[ConcurrencyState], step: Step) -> Live[ConcurrencyState]:
        return self.create(step)

    def delete(self, live: Live[ConcurrencyState], step: Step) -> None:
        with ignore_codes(_ABSENT):
            self.cloud.lambda_.delete_function_concurrency(FunctionName=self.name)
