"""What Comprehend needs of the data access role, as the Comprehend Developer Guide states it."""

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
"""What work in a VPC needs, on all resources (guide, "usingVPC")."""
