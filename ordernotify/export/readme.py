"""What the person reads with the files: the commands of the take-over, and what they leave alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ordernotify.export import cloudformation, terraform
from ordernotify.export.found import FoundStack
from ordernotify.resources.delivery import SERVICES
from ordernotify.settings.names import MANAGED_TAG, Target

_TITLES = {cloudformation.NAME: "CloudFormation", terraform.NAME: "Terraform"}
_CLOUDFORMATION = """\
Put the code into a bucket of yours first, in the stack's region:

    aws s3 cp function.zip s3://YOUR-BUCKET/{code_key}

Then take over with three commands:

    aws cloudformation create-change-set --stack-name {name} --change-set-name take-over \\
      --change-set-type IMPORT --template-body file://import.yaml \\
      --resources-to-import file://resources-to-import.json \\
      --parameters ParameterKey=CodeBucket,ParameterValue=YOUR-BUCKET --capabilities CAPABILITY_NAMED_IAM

    aws cloudformation execute-change-set --stack-name {name} --change-set-name take-over

    aws cloudformation deploy --stack-name {name} --template-file template.yaml \\
      --parameter-overrides CodeBucket=YOUR-BUCKET --capabilities CAPABILITY_NAMED_IAM

Between them wait: `aws cloudformation wait change-set-create-complete` after the first (with both names),
`aws cloudformation wait stack-import-complete` after the second. The first two change nothing. The third adds
what cannot be imported, and marks the stack as CloudFormation's.

With many subscribers a template gets larger than the 51,200 bytes that a command may hold. Then put
`import.yaml` into the bucket too, and give `--template-url https://YOUR-BUCKET.s3.amazonaws.com/import.yaml`
in place of `--template-body`; `deploy` takes `--s3-bucket YOUR-BUCKET`.

| File | What it is |
|---|---|
| `template.yaml` | the whole stack; also recreates it in an account that has none: `deploy` alone |
| `import.yaml`, `resources-to-import.json` | the part that can be imported, for the first command only |
| `function.zip` | the function's code |

The table stays when it is taken out of the template or the stack is deleted: it holds the orders.
"""
_TERRAFORM = """\
Take over with three commands:

    terraform init

    terraform apply

    rm import.tf.json import_override.tf.json && terraform apply

The first apply imports and changes nothing: it plans "to import" and 0 to add, change and destroy. The second
one notes what Terraform keeps for itself, such as where the code comes from, and marks the stack as
Terraform's.

| File | What it is |
|---|---|
| `main.tf.json` | the whole stack; also recreates it in an account that has none, without the next two |
| `import.tf.json`, `import_override.tf.json` | for the import only: the ids, and what to leave as it is |
| `function.zip` | the function's code |

Terraform's state holds everything that it reads, also the value of an API key: keep it where secrets may be.
"""
_BODIES = {cloudformation.NAME: _CLOUDFORMATION, terraform.NAME: _TERRAFORM}
_FORGET = {
    cloudformation.NAME: "set every `DeletionPolicy` in `template.yaml` to `Retain`, take the tag\n"
    f"`{MANAGED_TAG}` out of it, deploy it, and delete the CloudFormation stack",
    terraform.NAME: "`terraform state rm $(terraform state list)`",
}
_TEXT = """\
# The stack {stack} for {title}

Written by `ordernotify export-stack` from account {account}, region {region}. Nothing was changed there.

## Taking over

{local}{body}
## Afterwards

Nothing was deleted. The tag `{tag}` on the function says that {title} manages the
stack: `ordernotify setup` and `ordernotify teardown` refuse from then on, and all other commands work as
before. To see that nothing changed:

    ordernotify setup --dry-run --exit-code{options}
    ordernotify verify{options}

To take the stack back, make {title} forget it without deleting anything: {forget}.
Then run `ordernotify setup --adopt{options}`.

## Good to know

{notes}
"""
_LOCAL = """\
The stack is on the embedded cloud: set these first, and nothing leaves this machine.

    export AWS_ENDPOINT_URL={endpoint} AWS_REGION={region} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test

"""


def readme(stack: FoundStack, format_: str, notes: Sequence[str]) -> str:
    settings, cloud = stack.settings, stack.cloud
    local = cloud.target is Target.LOCAL
    options = f" --stack {settings.stack}" if settings.stack != "default" else ""
    return _TEXT.format(
        stack=settings.stack,
        title=_TITLES[format_],
        account=cloud.account,
        region=cloud.region,
        local=_LOCAL.format(endpoint=cloud.endpoint, region=cloud.region) if local else "",
        body=_BODIES[format_].format(
            name=f"ordernotify-{settings.stack}", code_key=cloudformation.code_key(stack)
        ),
        tag=MANAGED_TAG,
        forget=_FORGET[format_],
        options=options + ("" if local else " --aws"),
        notes="\n".join(f"- {note}" for note in notes) or "Everything of the stack is in the files.",
    )


def notes_of(stack: FoundStack, format_: str) -> Iterator[str]:
    """Say what cannot be imported and what is left out."""
    for topic, subscribers in stack.subscribers.items():
        for one in subscribers:
            if one.pending:
                made = format_ == cloudformation.NAME or terraform.listed_in(stack, topic, one)
                what = (
                    "the third command asks it again" if made else "it is left out: subscribe it when it has"
                )
                yield f"{one.protocol} {one.endpoint} has not confirmed and cannot be imported; {what}."
            elif one.protocol in SERVICES:
                yield f"The policy of {one.endpoint} is left: it lets the topic send, and is not the stack's."
    if format_ == cloudformation.NAME:
        left = cloudformation.not_importable(stack)
        yield f"CloudFormation cannot import {', '.join(left)}: the third command puts the same over it."
    settings = stack.settings
    for what, given in (
        ("role", settings.role_arn),
        ("KMS key", settings.kms_key),
        ("web ACL", settings.waf_acl),
    ):
        if given:
            yield f"The {what} {given} is left: it was given, and is not the stack's."
    if "api-log-role" in stack.resources:
        yield "API Gateway's logging role is left: it is the account's setting, for every API of the region."
    if "api-key" in stack.resources:
        yield "The value of the API key is a secret, and in no file; a new key has another value."
