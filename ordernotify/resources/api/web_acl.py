"""The web ACL of --waf-acl: the person's own, associated with the stage of the REST API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes, read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import ApiState
from ordernotify.resources.api.listing import api_arn, find_apis, lists_apis
from ordernotify.resources.base import Given, Live, Needed, Resource, Step, Verb, needed_state, shown_as
from ordernotify.resources.tagged import recorded_web_acl
from ordernotify.settings.model import ApiKind, Settings

_ABSENT = "WAFNonexistentItemException"
_UNKNOWN_YET = ("WAFUnavailableEntityException", _ABSENT)
KNOWN_TIMEOUT_SECONDS = 300.0
KNOWN_STEP_SECONDS = 5.0
"""A new stage or web ACL takes seconds, or minutes, to be known to AWS WAF.

https://docs.aws.amazon.com/waf/latest/APIReference/API_AssociateWebACL.html
"""


def is_unknown_yet(error: ClientError) -> bool:
    """Whether AWS WAF does not know the stage or the web ACL yet."""
    return has_code(error, *_UNKNOWN_YET)


@dataclass(frozen=True, slots=True)
class GivenWebAclState:
    """Nothing is compared: its rules are the person's."""


class GivenWebAcl(Given[GivenWebAclState]):
    """The web ACL of --waf-acl: looked at before anything is changed, never changed or deleted."""

    kind = "given web acl"

    @property
    def name(self) -> str:
        return self.settings.waf_acl or ""

    @property
    def wanted(self) -> bool:
        return self.settings.waf_acl is not None

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        return {Verb.FIND: (allow("wafv2", "GetWebACL", on=self.name),)} if self.wanted else {}

    def described(self, needed: Needed) -> GivenWebAclState:
        return GivenWebAclState()

    def find(self) -> Live[GivenWebAclState] | None:
        """Read it; None if there is none in this account and region."""
        if not self.wanted:
            return None
        _, name, id_ = self.name.rsplit("/", 2)
        found = read_or_none(
            lambda: self.cloud.client("wafv2").get_web_acl(Name=name, Scope="REGIONAL", Id=id_), _ABSENT
        )
        # AWS WAF finds it by name and id; the ARN may name another account or region.
        return Live(self.name, GivenWebAclState()) if found and found["WebACL"]["ARN"] == self.name else None

    def refuse_missing(self) -> None:
        """Refuse a web ACL that cannot be associated: only the person makes one."""
        if self._region != self.cloud.region:
            raise UsageError(
                f"the web ACL {self.name} is of the region {self._region}, and the stack of "
                f"{self.cloud.region}: AWS WAF associates within a region only",
                f"Give one of {self.cloud.region}, or choose the region with --region.",
            )
        raise OrderNotifyError(
            f"there is no web ACL {self.name} in account {self.cloud.account}, region {self.cloud.region}",
            "`aws wafv2 list-web-acls --scope REGIONAL` lists them; or leave --waf-acl out.",
        )

    @property
    def _region(self) -> str:
        return self.name.split(":")[3]


@dataclass(frozen=True, slots=True)
class WebAclAssociationState:
    """Which web ACL the stage has, and the stage; both by ARN."""

    acl: str = field(metadata=shown_as("web ACL"))
    stage: str = field(default="", compare=False)


class WebAclAssociation(Resource[WebAclAssociationState]):
    """The association of the web ACL with the stage.

    It cannot carry a tag. Without --waf-acl it is the stack's only if the function's record names this web
    ACL, so the record outlives it, and is written before it is made.
    """

    kind = "web-acl"
    part_of = "api"
    removed_when_unwanted = True
    removed_before: tuple[str, ...] = ("function",)

    def __init__(self, settings: Settings, cloud: Cloud) -> None:
        super().__init__(settings, cloud)
        self.needs = ("given web acl", "api", "function") if self.wanted else ("api",)

    @property
    def name(self) -> str:
        """The API's name: the association has none."""
        return self.settings.names.api

    @property
    def wanted(self) -> bool:
        return self.settings.waf_acl is not None

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """IAM asks for the right to the web ACL and for API Gateway's on the stage.

        Which web ACL a stage has is known only once it is read.
        https://docs.aws.amazon.com/waf/latest/developerguide/security_iam_service-with-iam.html
        """
        if self.settings.api is ApiKind.HTTP:
            return {}
        stage, any_acl = self._stage_of("*"), self.cloud.arn("wafv2", "regional/webacl/*/*")
        set_acl = allow("apigateway", "SetWebACL", on=stage)
        function = self.cloud.arn("lambda", f"function:{self.settings.names.function}")
        record = allow("lambda", "ListTags", on=function)
        read: Calls = (
            record,
            *lists_apis(ApiKind.REST),
            allow("wafv2", "GetWebACL", "GetWebACLForResource", on=any_acl),
        )
        delete = (*read, allow("wafv2", "DisassociateWebACL", on=(any_acl, stage)), set_acl)
        if not self.wanted:
            # Without a record, nothing else is called.
            return {Verb.FIND: (record,), Verb.DELETE: delete}
        put = (allow("wafv2", "AssociateWebACL", on=(self.settings.waf_acl or "", stage)), set_acl)
        return {Verb.FIND: read, Verb.CREATE: put, Verb.UPDATE: put, Verb.DELETE: delete}

    def described(self, needed: Needed) -> WebAclAssociationState:
        return WebAclAssociationState(self.settings.waf_acl or "")

    def find(self) -> Live[WebAclAssociationState] | None:
        """Read which web ACL the stage has; without --waf-acl, None unless it is the recorded one."""
        if self.settings.api is ApiKind.HTTP:
            return None
        recorded = "" if self.wanted else recorded_web_acl(self.cloud, self.settings)
        if not (self.wanted or recorded):
            return None
        apis = find_apis(self.cloud, ApiKind.REST, self.name, self.settings.stack)
        stage = self._stage_of(apis[0].id) if apis else ""
        acl = self._read(stage) if stage else ""
        if not acl or not (self.wanted or acl == recorded):
            return None
        return Live("", WebAclAssociationState(acl, stage))

    def create(self, step: Step) -> Live[WebAclAssociationState]:
        """Associate it, which takes the place of another web ACL; repeated, it changes nothing."""
        api = needed_state(step.needed, ApiState)
        assert api is not None, "it needs the API"
        state = WebAclAssociationState(self.settings.waf_acl or "", self._stage_of(api.id))
        step.patience.retry(
            lambda: self.cloud.client("wafv2").associate_web_acl(
                WebACLArn=state.acl, ResourceArn=state.stage
            ),
            when=is_unknown_yet,
            waiting_for="AWS WAF to know the stage and the web ACL",
            timeout=KNOWN_TIMEOUT_SECONDS,
            step=KNOWN_STEP_SECONDS,
        )
        return Live("", state)

    def update(self, live: Live[WebAclAssociationState], step: Step) -> Live[WebAclAssociationState]:
        return self.create(step)

    def delete(self, live: Live[WebAclAssociationState], step: Step) -> None:
        """End the association, if the stage still has this web ACL."""
        if self._read(live.state.stage) == live.state.acl:
            with ignore_codes(_ABSENT):
                self.cloud.client("wafv2").disassociate_web_acl(ResourceArn=live.state.stage)

    def _read(self, stage: str) -> str:
        """Return the ARN of the stage's web ACL; empty without one, and without the stage."""
        found = read_or_none(
            lambda: self.cloud.client("wafv2").get_web_acl_for_resource(ResourceArn=stage), _ABSENT
        )
        acl = (found or {}).get("WebACL") or {}
        return str(acl.get("ARN", ""))

    def _stage_of(self, api_id: str) -> str:
        return f"{api_arn(self.cloud, ApiKind.REST, api_id)}/stages/{self.settings.stage}"
