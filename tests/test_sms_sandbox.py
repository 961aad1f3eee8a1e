"""The notice about the SMS sandbox."""

from __future__ import annotations

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify.aws.session import Cloud
from ordernotify.resources.sandbox import sandbox_notice, sms_notices
from ordernotify.settings.names import Target
from tests.provision_support import Account, Call, Interference, Send, answer, refusal, refuse


class Sandbox:
    """Answers what moto does not: is the account in the SMS sandbox, and which numbers are verified."""

    def __init__(self, *, inside: bool = True, verified: tuple[str, ...] = ()) -> None:
        self.inside = inside
        self.verified = verified

    def __call__(self, call: Call, send: Send) -> AWSResponse:
        if call.operation == "GetSMSSandboxAccountStatus":
            result = f"<IsInSandbox>{str(self.inside).lower()}</IsInSandbox>"
        elif call.operation == "ListSMSSandboxPhoneNumbers":
            phones = [(number, "Verified") for number in self.verified] + [("+14155550199", "Pending")]
            members = "".join(
                f"<member><PhoneNumber>{number}</PhoneNumber><Status>{status}</Status></member>"
                for number, status in phones
            )
            result = f"<PhoneNumbers>{members}</PhoneNumbers>"
        else:
            return send()
        name = call.operation
        body = f"<{name}Response><{name}Result>{result}</{name}Result></{name}Response>"
        return answer(200, body.encode(), {"Content-Type": "text/xml"})


def test_in_the_sandbox_unverified_numbers_are_named_with_what_to_do(account: Account, cloud: Cloud) -> None:
    account.interfere = Sandbox(verified=("+14155550100",))
    notice = sandbox_notice(cloud, ["+14155550100", "+14155550199", "+14155550101"])
    assert notice is not None
    assert "Not verified: +14155550199, +14155550101." in notice
    assert "create-sms-sandbox-phone-number --region us-east-1 --phone-number +14155550199" in notice
    assert "+14155550100" not in notice
    assert sandbox_notice(cloud, ["+14155550100"]) is None


def test_out_of_the_sandbox_there_is_nothing_to_say(account: Account, cloud: Cloud) -> None:
    account.interfere = Sandbox(inside=False)
    assert sandbox_notice(cloud, ["+14155550100"]) is None


def test_who_may_not_see_the_verified_numbers_is_told_of_the_doubt(account: Account, cloud: Cloud) -> None:
    sandbox = Sandbox()
    account.interfere = lambda call, send: (
        refusal(call, "AuthorizationError", "no", 403)
        if call.operation == "ListSMSSandboxPhoneNumbers"
        else sandbox(call, send)
    )
    notice = sandbox_notice(cloud, ["+14155550100"])
    assert notice is not None
    assert "does not say which numbers are verified" in notice


@pytest.mark.parametrize("code", ["AuthorizationError", "InvalidAction"])
def test_where_aws_does_not_tell_of_the_sandbox_nothing_is_said(
    account: Account, cloud: Cloud, code: str
) -> None:
    account.interfere = refuse("GetSMSSandboxAccountStatus", code, "no")
    assert sandbox_notice(cloud, ["+14155550100"]) is None
    account.interfere = lambda _call, send: send()  # moto: NotImplementedError
    assert sandbox_notice(cloud, ["+14155550100"]) is None


def test_without_phones_or_on_the_local_target_the_sandbox_is_not_asked_for(account: Account) -> None:
    account.interfere = Sandbox()
    assert sandbox_notice(account.cloud(), []) is None
    assert sandbox_notice(account.cloud(Target.LOCAL), ["+14155550100"]) is None
    assert account.calls == []


def spends(limit: str | None) -> Interference:
    """Answer the account's SMS attributes; the account is out of the sandbox."""
    sandbox = Sandbox(inside=False)

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation != "GetSMSAttributes":
            return sandbox(call, send)
        entry = f"<entry><key>MonthlySpendLimit</key><value>{limit}</value></entry>" if limit else ""
        result = f"<GetSMSAttributesResult><attributes>{entry}</attributes></GetSMSAttributesResult>"
        body = f"<GetSMSAttributesResponse>{result}</GetSMSAttributesResponse>"
        return answer(200, body.encode(), {"Content-Type": "text/xml"})

    return interfere


@pytest.mark.parametrize(("limit", "said"), [("50", "50 USD a month"), (None, "1 USD a month")])
def test_row_32_the_spend_limit_is_said(account: Account, cloud: Cloud, limit: str | None, said: str) -> None:
    account.interfere = spends(limit)
    [notice] = sms_notices(cloud, ["+436601234567"])
    assert said in notice


def test_row_32_numbers_in_the_us_need_an_origination_number(account: Account, cloud: Cloud) -> None:
    account.interfere = spends("1")
    [_, notice] = sms_notices(cloud, ["+436601234567", "+14155550100"])
    assert "origination number" in notice


def test_row_32_what_aws_does_not_say_stops_nothing(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse("GetSMSAttributes", "AuthorizationError", "no", times=9)
    assert list(sms_notices(cloud, ["+436601234567"])) == []
    assert list(sms_notices(account.cloud(Target.LOCAL), ["+14155550100"])) == []
