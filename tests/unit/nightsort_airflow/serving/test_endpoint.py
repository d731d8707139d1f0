"""An answer says what was accepted; only the local stack counts as local."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from nightsort.classifier_spec.real_time import RealTime
from nightsort_airflow.serving.endpoint import Answer, ServedEndpoint, is_local_stack
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_an_answer_as_json() -> None:
    answer = Answer((("A", 0.9), ("B", 0.05)), ("A",), "v1")
    assert answer.to_dict() == {
        "label": "A",
        "score": 0.9,
        "labels": [{"label": "A", "score": 0.9}, {"label": "B", "score": 0.05}],
        "accepted": ["A"],
        "version": "v1",
    }
    nothing = Answer((), (), "v1").to_dict()
    assert (nothing["label"], nothing["score"]) == (None, None)


def test_a_closed_endpoint_is_named_with_how_to_open_it_and_its_price(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    spec = local_spec(tmp_path)
    served = ServedEndpoint(spec)
    assert served.arn.startswith("arn:aws:comprehend:eu-west-1:")
    assert served.arn.endswith(f":document-classifier-endpoint/nightsort-{served.spec.name}")
    message = str(served.closed())
    assert f"Its spec has no `real_time`: add that, and the DAG serve_{spec.name} opens it" in message
    assert "1.80 USD an hour, 43.20 a day" in message
    served.spec = spec.model_copy(update={"real_time": RealTime(hours="08:00-18:00")})
    assert f"The DAG serve_{spec.name} opens it, in the hours of `real_time`" in str(served.closed())


@pytest.fixture
def health() -> Iterator[tuple[str, list[bytes]]]:
    """The URL of a server, and the body that it answers with."""
    body = [b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/_nightsort/health" else 404)
            self.end_headers()
            self.wfile.write(body[0])

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", body
        server.shutdown()
        thread.join()


def test_a_stand_in_is_local_only_if_it_says_so(health: tuple[str, list[bytes]]) -> None:
    url, body = health

    def local(*, is_aws: bool = False, at: str = url) -> bool:
        client = SimpleNamespace(meta=SimpleNamespace(endpoint_url=at))
        hook: Any = SimpleNamespace(is_aws=is_aws, client=client)
        return is_local_stack(hook)

    assert not local(), "a proxy to AWS answers something, too"
    body[0] = b'{"status": "ok", "account": "123456789012"}'
    assert local()
    assert not local(is_aws=True)
    assert not local(at="http://127.0.0.1:1")
