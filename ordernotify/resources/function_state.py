"""What a Lambda function is: its configuration, code and record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ordernotify.resources.base import internal, shown_as
from ordernotify.settings.model import SETTING_TAG_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef

ROLE_ID_TAG = "ordernotify:role-id"
ACTIVE, PENDING, FAILED, UPDATE_FAILED = "Active", "Pending", "Failed", "last update failed"
_TRACED = "Active"
"""The mode in which Lambda traces every sampled request, not only those that come with a trace."""


@dataclass(frozen=True, slots=True)
class FunctionState:
    """The configuration (memory in MB, timeout in seconds), the code's hash, and whether it serves."""

    runtime: str
    handler: str
    architecture: str
    memory: int
    timeout: int
    environment: Mapping[str, str]
    tracing: bool
    encrypted_with: str
    """The ARN of the KMS key of the environment; empty: Lambda's own."""
    role: str
    role_id: str
    """The id of the role when the function was made, from its tag; empty: unknown."""
    code: str
    settings: Mapping[str, str] = field(metadata=internal("the record of the options"))
    """What setup was told, from the tags."""
    status: str = field(default=ACTIVE, metadata=shown_as("state"))
    description: str = field(default="", compare=False)

    @property
    def configuration(self) -> dict[str, Any]:
        """What UpdateFunctionConfiguration changes, as its arguments."""
        return {
            "Runtime": self.runtime,
            "Handler": self.handler,
            "Role": self.role,
            "MemorySize": self.memory,
            "Timeout": self.timeout,
            "Environment": {"Variables": self.environment},
            "TracingConfig": {"Mode": _TRACED if self.tracing else "PassThrough"},
            "KMSKeyArn": self.encrypted_with,
        }

    @classmethod
    def of(cls, configuration: FunctionConfigurationTypeDef, tags: Mapping[str, str]) -> FunctionState:
        """Read what Lambda tells of a function; another program's, and an emulator's, may lack anything."""
        return cls(
            runtime=configuration.get("Runtime", ""),
            handler=configuration.get("Handler", ""),
            architecture=(configuration.get("Architectures") or ["x86_64"])[0],
            memory=configuration.get("MemorySize", 0),
            timeout=configuration.get("Timeout", 0),
            environment=configuration.get("Environment", {}).get("Variables", {}),
            tracing=configuration.get("TracingConfig", {}).get("Mode") == _TRACED,
            encrypted_with=configuration.get("KMSKeyArn") or "",
            role=configuration.get("Role", ""),
            role_id=tags.get(ROLE_ID_TAG, ""),
            code=configuration.get("CodeSha256", ""),
            settings=settings_tagged(tags),
            status=status_of(configuration),
            description=configuration.get("Description", ""),
        )


def settings_tagged(tags: Mapping[str, str]) -> dict[str, str]:
    """Choose the recorded settings among the tags, by their plain names."""
    prefix = SETTING_TAG_PREFIX
    return {key.removeprefix(prefix): value for key, value in tags.items() if key.startswith(prefix)}


def status_of(configuration: Mapping[str, Any]) -> str:
    """Whether it serves. Emulators leave the states out, and an inactive function wakes by itself."""
    state = str(configuration.get("State", ACTIVE))
    if state in {PENDING, FAILED}:
        return state
    return UPDATE_FAILED if configuration.get("LastUpdateStatus") == FAILED else ACTIVE
