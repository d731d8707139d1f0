"""An OpenTelemetry collector as far as OTLP over HTTP goes: it keeps the metrics that are posted to it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator


class OtlpReceiver(ThreadingHTTPServer):
    """Keeps the last value of each gauge, by name and attributes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gauges: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self.server_port}"

    def keep(self, body: bytes) -> None:
        """Read a request."""
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.gauge.data_points:
                        tags = tuple((tag.key, tag.value.string_value) for tag in point.attributes)
                        value = point.as_double if point.HasField("as_double") else point.as_int
                        self.gauges[metric.name, tags] = value


class _Handler(BaseHTTPRequestHandler):
    server: OtlpReceiver

    def do_POST(self) -> None:
        self.server.keep(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """Receive on a free port."""
    with OtlpReceiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
