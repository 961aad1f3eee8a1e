"""KMS keys in the account in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.moto_account import ACCOUNT_ID, Account

ALIAS = "alias/orders"
_ROOT = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"},
    "Action": "kms:*",
    "Resource": "*",
}


def make_key(account: Account, *statements: Mapping[str, Any]) -> str:
    """Make a key with the alias and these statements in its policy; return its ARN."""
    kms = account.client("kms")
    arn = str(kms.create_key()["KeyMetadata"]["Arn"])
    kms.create_alias(AliasName=ALIAS, TargetKeyId=arn)
    put_key_policy(account, arn, *statements)
    return arn


def put_key_policy(account: Account, key: str, *statements: Mapping[str, Any]) -> None:
    """Give the key a policy with these statements, beside the one that lets the account manage it."""
    policy = {"Version": "2012-10-17", "Statement": [_ROOT, *statements]}
    account.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
