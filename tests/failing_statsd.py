"""A StatsD client whose gauges cannot be sent, for ``[metrics] statsd_custom_client_path``."""

from __future__ import annotations

from typing import Any

from statsd import StatsClient


class FailingGauges(StatsClient):  # type: ignore[misc]
    """Sends all but gauges."""

    def gauge(self, *_: Any, **__: Any) -> None:
        raise ConnectionResetError("a server that the test broke")
