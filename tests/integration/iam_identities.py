"""Users, roles and the documented policies on a local AWS that enforces IAM."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from tests.integration.local_aws_server import PROJECT, REGION, LocalAwsServer, aws_connection

EVERYTHING: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


@dataclass(frozen=True)
class LocalAwsUser(LocalAwsServer):
    """A local AWS as one user sees it."""

    name: str
    access_key_id: str
    secret_access_key: str

    def client(self, service: str, region: str = REGION, **config: Any) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(**{"retries": {"total_max_attempts": 1}, **config}),
        )

    @property
    def connection(self) -> str:
        """An Airflow connection of this user, as the value of its variable."""
        return aws_connection(self.url, self.access_key_id, self.secret_access_key)

    def may(self, policy: dict[str, Any]) -> None:
        """Attach this policy to the user, instead of any other."""
        self.client("iam").put_user_policy(
            UserName=self.name, PolicyName="rights", PolicyDocument=json.dumps(policy)
        )


def user(aws: LocalAwsServer, name: str, policy: dict[str, Any]) -> LocalAwsUser:
    """Make a user with a policy and an access key."""
    iam = aws.client("iam")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    made = LocalAwsUser(aws.url, aws.process, name, key["AccessKeyId"], key["SecretAccessKey"])
    made.may(policy)
    return made


def role(aws: LocalAwsServer, arn: str, policy: dict[str, Any], trust: dict[str, Any]) -> None:
    """Make a role, or give it another policy and another trust policy."""
    iam = aws.client("iam")
    name = arn.rpartition("/")[2]
    if name not in [found["RoleName"] for found in iam.list_roles()["Roles"]]:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))


def documented(name: str, bucket: str) -> dict[str, Any]:
    """A policy of ``docs/iam/``, for a bucket of one's own, as its README says."""
    text = (PROJECT / "docs" / "iam" / name).read_text(encoding="utf-8")
    policy: dict[str, Any] = json.loads(text.replace("your-bucket", bucket))
    return policy


def grants(policy: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What a policy grants, one by one: Sid, action, resource."""
    return [
        (statement["Sid"], action, resource)
        for statement in policy["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def without(policy: dict[str, Any], grant: tuple[str, str, str]) -> dict[str, Any]:
    """The policy without one of its grants."""
    statements = []
    for statement in policy["Statement"]:
        rest = {element: value for element, value in statement.items() if element != "Sid"}
        for action in listed(statement["Action"]):
            left = [
                resource
                for resource in listed(statement["Resource"])
                if (statement["Sid"], action, resource) != grant
            ]
            if left:
                statements.append({**rest, "Action": action, "Resource": left})
    return {**policy, "Statement": statements}


def listed(value: Any) -> list[Any]:
    """A policy's element, which may be one thing or a list."""
    return value if isinstance(value, list) else [value]
