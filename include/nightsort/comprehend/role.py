"""What the data access role must allow. Source: Amazon Comprehend Developer Guide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMPREHEND: Final = "comprehend.amazonaws.com"
"""The service principal that a data access role must trust (guide, "access-control-managing-permissions")."""

OF_AN_AWS_SERVICE: Final = (("kms:GrantIsForAWSResource", "true"),)
"""What KMS knows of a grant that Comprehend asks for, to encrypt a volume (KMS guide, "conditions-kms")."""

_USE: Final = "ec2:CreateNetworkInterfacePermission"
_VPC_ACTIONS: Final = (
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
)
"""The other permissions for work in a VPC, on all resources (guide, "usingVPC")."""


class VpcPermission(NamedTuple):
    """A permission for work in a VPC.

    :param action: of EC2.
    :param resource: an ARN, or ``*``.
    :param context: condition keys with their values.
    """

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


def vpc_permissions(ec2: str, subnets: Sequence[str]) -> Iterator[VpcPermission]:
    """Return what the data access role needs for work in a VPC.

    :param ec2: how ARNs begin: ``arn:aws:ec2:us-east-1:123456789012``.
    :param subnets: the ids of the subnets.
    """
    yield from (VpcPermission(action, "*") for action in _VPC_ACTIONS)
    for subnet in subnets:
        yield VpcPermission(_USE, f"{ec2}:network-interface/*", (("ec2:Subnet", f"{ec2}:subnet/{subnet}"),))
