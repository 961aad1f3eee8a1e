"""The API of the kind that the stack does not have any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls
from ordernotify.resources.api.base import AnyApi, removes_api
from ordernotify.resources.api.listing import FoundApi, lists_apis
from ordernotify.resources.base import Leftover, Live, Verb
from ordernotify.settings.model import ApiKind, Settings


@dataclass(frozen=True, slots=True)
class OldApiState:
    """The API that is replaced by one of the other kind."""

    kind: ApiKind
    url: str


class OldApi(Leftover[OldApiState], AnyApi[OldApiState]):
    """The API of the kind that the stack does not have any more: found in order to be removed."""

    kind = "old-api"
    removed_when_unwanted = True
    deleted_after: tuple[str, ...] = ("api", "permission", "preflight-permission", "usage-plan")

    def __init__(self, settings: Settings, cloud: Cloud) -> None:
        super().__init__(settings, cloud)
        self.api_kind = ApiKind.HTTP if settings.api is ApiKind.REST else ApiKind.REST

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        return {Verb.FIND: lists_apis(self.api_kind), Verb.DELETE: removes_api(self.api_kind)}

    def find(self) -> Live[OldApiState] | None:
        """Find it only if it is the stack's: others may have APIs of this name."""
        live = super().find()
        return live if live and live.owned else None

    def read(self, entry: FoundApi, copies: int) -> OldApiState:
        return OldApiState(self.api_kind, self.invoke_url(entry.id))
