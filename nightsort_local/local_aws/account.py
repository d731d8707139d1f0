"""The one AWS account of the server."""

from __future__ import annotations

from typing import Final

ACCOUNT_ID: Final = "123456789012"
"""moto's default."""

DEFAULT_REGION: Final = "us-east-1"
"""The region of a request without a signature."""
