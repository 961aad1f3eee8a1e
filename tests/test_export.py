"""What both formats hold to: every kind, no secret, nothing that is not exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError, StackNotFoundError, UsageError
from ordernotify.export import (
    Export,
    ExportFormat,
    check_folder,
    cloudformation,
    export_stack,
    parse_format,
    terraform,
    write_files,
)
from ordernotify.export.found import WITHOUT_WRITER, FoundStack
from ordernotify.export.readme import notes_of
from ordernotify.resources.base import Leftover
from ordernotify.resources.filter_policy import Scope
from ordernotify.resources.subscriber import Subscriber
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import MANAGED_TAG, STACK_TAG
from tests.cli_support import Typed, typed
from tests.export_support import (
    FULL_HTTP,
    FULL_REST,
    ROLE_ARN,
    found_in,
    stand_up,
    template_of,
    terraform_of,
    with_subscribers,
)
from tests.provision_support import Account, full_settings, set_up
from tests.web_acls import make_web_acl

__all__ = ["typed"]

PENDING = Subscriber("email", "new@example.com", None, True, {}, Scope.ATTRIBUTES, False)
FILTERED = Subscriber(
    "sqs",
    "arn:aws:sqs:us-east-1:123456789012:orders",
    "arn:aws:sns:us-east-1:123456789012:topic:1",
    False,
    {"orderId": [{"prefix": "${a"}]},
    Scope.BODY,
    True,
)


@pytest.mark.parametrize("writers", [cloudformation.WRITERS, terraform.WRITERS], ids=["cfn", "tf"])
def test_every_kind_that_a_stack_can_have_is_written(
    cloud: Cloud, local_cloud: Cloud, writers: dict[str, object]
) -> None:
    declared = [
        one
        for place in (cloud, local_cloud)
        for api in ApiKind
        for one in provision.declare(Settings(api=api), place)
    ]
    kinds = {one.kind for one in declared if not isinstance(one, Leftover)}
    assert kinds == writers.keys() | WITHOUT_WRITER
    assert not WITHOUT_WRITER & writers.keys()


class Read:
    """A resource's state that notes what is read of it."""

    def __init__(self, state: object) -> None:
        self._state, self.fields = state, set[str]()

    def __getattr__(self, name: str) -> object:
        self.fields.add(name)
        return getattr(self._state, name)


NOT_WRITTEN = {
    "table": {"status"},
    # By reference to the role and the code, and in the tags.
    "function": {"role", "role_id", "code", "settings", "status"},
    # With the topics.
    "subscriptions": {"subscribers"},
    "alarm emails": {"subscribers"},
    "redrive": {"lacking"},
    # All groups share one variable.
    "api-log-group": {"retention"},
    "execution-logs": {"retention"},
    # By reference; what a stack as described has only one of; and that an HTTP API deploys by itself.
    "api": {"resource", "integration", "stages", "other_deployments", "other_integrations", "copies"}
    | {"automatic_deployment"},
    "api-key": {"copies"},
    "usage-plan": {"key", "stage", "copies"},
    "permission": {"source"},
    "preflight-permission": {"source"},
}


@pytest.mark.parametrize("write", [cloudformation.write, terraform.write], ids=["cfn", "tf"])
@pytest.mark.parametrize("options", [FULL_REST, FULL_HTTP], ids=["rest", "http"])
def test_everything_that_setup_compares_is_written(
    account: Account, write: Callable[[FoundStack], object], options: dict[str, object]
) -> None:
    stack = found_in(account, full_settings(**options))
    states = {key: Read(one.state) for key, one in stack.resources.items()}
    write(replace(stack, resources={k: replace(r, state=states[k]) for k, r in stack.resources.items()}))
    for key, one in stack.resources.items():
        compared = {field.name for field in fields(one.state) if field.compare}
        assert compared - states[key].fields <= NOT_WRITTEN.get(one.kind, set()), one.kind


@pytest.mark.parametrize("format_", ExportFormat)
@pytest.mark.parametrize("options", [FULL_REST, FULL_HTTP], ids=["rest", "http"])
def test_an_export_changes_nothing_and_holds_no_secret(
    account: Account, format_: ExportFormat, options: dict[str, object]
) -> None:
    settings = full_settings(**options)
    cloud = stand_up(account, settings)
    account.forget_calls()
    resources = provision.declare(settings, cloud)
    written = export_stack(cloud, resources, provision.plan(resources), format_)
    assert account.changing_calls == []
    values = [key["value"] for key in cloud.apigateway.get_api_keys(includeValues=True)["items"]]
    assert len(values) == (1 if settings.api is ApiKind.REST else 0)
    assert not any(value.encode() in content for value in values for content in written.files.values())


def test_a_stack_that_is_not_as_described_is_not_exported(cloud: Cloud) -> None:
    settings = Settings()
    resources = provision.declare(settings, cloud)
    with pytest.raises(StackNotFoundError):
        export_stack(cloud, resources, provision.plan(resources), ExportFormat.TERRAFORM)
    set_up(settings, cloud)
    cloud.logs.put_retention_policy(logGroupName=settings.names.log_group, retentionInDays=1)
    with pytest.raises(OrderNotifyError, match=r"not as described.*log-group /aws/lambda/processFileUpload"):
        export_stack(cloud, resources, provision.plan(resources), ExportFormat.TERRAFORM)


def test_an_export_overwrites_nothing(tmp_path: Path) -> None:
    check_folder(tmp_path)
    check_folder(tmp_path / "new")
    (tmp_path / "terraform.tfstate").touch()
    for taken in (tmp_path, tmp_path / "terraform.tfstate"):
        with pytest.raises(UsageError, match="is not an empty folder"):
            check_folder(taken)


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as refused:
        parse_format("pulumi")
    assert refused.value.hint == "Use cloudformation or terraform."


def test_what_is_not_imported_is_told(account: Account) -> None:
    acl = make_web_acl(account)
    settings = full_settings(**FULL_REST, role_arn=ROLE_ARN, waf_acl=acl)
    stack = with_subscribers(
        found_in(account, settings), PENDING, replace(PENDING, protocol="https"), FILTERED
    )
    notes = {format_: "\n".join(notes_of(stack, format_)) for format_ in ExportFormat}
    for text in notes.values():
        assert "email new@example.com has not confirmed and cannot be imported" in text
        assert f"The role {ROLE_ARN} is left" in text
        assert f"The web ACL {acl} is left" in text
        assert "API Gateway's logging role is left" in text
        assert "The value of the API key is a secret" in text
        assert f"The policy of {FILTERED.endpoint} is left" in text
    assert (
        "https new@example.com has not confirmed and cannot be imported; it is left out"
        in notes[ExportFormat.TERRAFORM]
    )
    assert (
        "CloudFormation cannot import TopicPolicy, DeadLettersPolicy, Default4XxResponse"
        in notes[ExportFormat.CLOUDFORMATION]
    )


def test_pending_subscribers_are_asked_again_by_the_last_command_only(account: Account) -> None:
    stack = with_subscribers(found_in(account, full_settings()), PENDING)
    whole, imported = template_of(stack), template_of(stack, "import.yaml")
    (asked,) = whole["Resources"].keys() & {"Email2Subscription"}
    assert whole["Parameters"]["Email2"]["Default"] == "new@example.com"
    assert asked not in imported["Resources"]
    assert "Email2" not in imported["Parameters"]
    lists = terraform_of(stack)["variable"], terraform_of(stack, "import_override.tf.json")["variable"]
    assert [one["emails"]["default"] for one in lists] == [
        ["you@example.com", "new@example.com"],
        ["you@example.com"],
    ]
    addresses = [one["to"] for one in terraform_of(stack, "import.tf.json")["import"]]
    assert [one for one in addresses if "emails" in one and "alarm" not in one] == [
        'aws_sns_topic_subscription.emails["you@example.com"]'
    ]


def test_a_filter_policy_is_kept_and_its_text_is_no_template(account: Account) -> None:
    stack = with_subscribers(found_in(account, Settings()), FILTERED)
    written = template_of(stack)["Resources"]["TopicSqs1Subscription"]["Properties"]
    assert written["FilterPolicy"] == FILTERED.filter_policy
    assert (written["FilterPolicyScope"], written["RawMessageDelivery"]) == ("MessageBody", True)
    block = terraform_of(stack)["resource"]["aws_sns_topic_subscription"]["sqs_1"]
    assert block["filter_policy"] == '{"orderId":[{"prefix":"$${a"}]}'


def test_only_the_last_command_marks_the_stack(account: Account) -> None:
    stack = found_in(account, Settings())
    tags = template_of(stack)["Resources"]["Function"]["Properties"]["Tags"]
    assert {"Key": MANAGED_TAG, "Value": "cloudformation"} in tags
    assert MANAGED_TAG not in cloudformation.write(stack)["import.yaml"]
    function = terraform_of(stack)["resource"]["aws_lambda_function"]["function"]
    assert function["tags"][MANAGED_TAG] == "terraform"
    override = terraform_of(stack, "import_override.tf.json")["resource"]["aws_lambda_function"]["function"]
    assert override["tags"] == {key: value for key, value in function["tags"].items() if key != MANAGED_TAG}


def test_what_setup_does_not_describe_is_written_as_it_was_found(account: Account) -> None:
    made = {"endpointConfiguration": {"types": ["EDGE"]}, "tags": {STACK_TAG: "default"}}
    account.client("apigateway").create_rest_api(name="order-api", **made)
    stack = found_in(account, Settings())
    written = template_of(stack)["Resources"]["Api"]["Properties"]
    assert written["EndpointConfiguration"] == {"Types": ["EDGE"]}
    assert "Description" not in written
    (block,) = terraform_of(stack)["resource"]["aws_api_gateway_rest_api"].values()
    assert block["endpoint_configuration"] == [{"types": ["EDGE"]}]
    assert "description" not in block


def test_the_command_writes_the_files_and_says_what_to_read(
    cloud: Cloud, typed: Typed, tmp_path: Path
) -> None:
    set_up(Settings(), cloud)
    done = typed("export-stack", "--format", "terraform", "out")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == sorted(f"out/{file.name}" for file in (tmp_path / "out").iterdir())
    assert "out/README.md has the commands" in done.stderr
    again = typed("export-stack", "--format", "terraform", "out")
    assert again.exit_code == 2
    assert "is not an empty folder" in again.stderr


def test_files_that_cannot_be_written_are_an_error_of_the_person(
    cloud: Cloud, typed: Typed, tmp_path: Path
) -> None:
    set_up(Settings(), cloud)
    (tmp_path / "file").touch()
    done = typed("export-stack", "--format", "terraform", "file/out")
    assert done.exit_code == 1
    assert "could not write to file/out: Not a directory" in done.stderr
    assert "Name a folder that you may write to" in done.stderr


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_export_that_is_cut_off_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    write = Path.write_bytes

    def write_one_and_a_half(file: Path, content: bytes) -> int:
        if file.name == "a":
            return write(file, content)
        write(file, content[:1])
        raise failure

    monkeypatch.setattr(Path, "write_bytes", write_one_and_a_half)
    expected = OrderNotifyError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_files(Export({"a": b"whole", "b": b"half"}, ()), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_json_result_names_files_and_notes(cloud: Cloud, typed: Typed) -> None:
    set_up(Settings(), cloud)
    done = typed("export-stack", "--format", "cloudformation", "out", "--json")
    assert '"files": ["README.md", "function.zip", "import.yaml", "resources-to-import.json", ' in done.stdout


def test_files_are_written_as_they_are(tmp_path: Path, cloud: Cloud) -> None:
    settings = Settings()
    set_up(settings, cloud)
    resources = provision.declare(settings, cloud)
    written = export_stack(cloud, resources, provision.plan(resources), ExportFormat.CLOUDFORMATION)
    write_files(written, tmp_path / "a" / "b")
    assert {file.name: file.read_bytes() for file in (tmp_path / "a" / "b").iterdir()} == written.files
