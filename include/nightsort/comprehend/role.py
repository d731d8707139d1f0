"""What the data access role must allow. Source: Amazon Comprehend Developer Guide."""

from __future__ import annotations

from typing import Final

COMPREHEND: Final = "comprehend.amazonaws.com"
"""The service principal that a data access role must trust (guide, "access-control-managing-permissions")."""

VPC_ACTIONS: Final = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
)
"""The permissions for work in a VPC, on all resources (guide, "usingVPC")."""
