"""A request is refused if a foreign web page may have sent it; programs are never refused."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder

from nightsort_local.local_aws.browser_guard import BrowserGuard


def _object(_environ: Any, start_response: Any) -> list[bytes]:
    start_response(
        "200 OK",
        [
            ("Content-Type", "text/html"),
            ("Access-Control-Allow-Origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("content-security-policy", "default-src *"),
        ],
    )
    return [b"<script>"]


GUARD = BrowserGuard(_object, ["local-aws"])


def status(host: str, **headers: str) -> int:
    environ = EnvironBuilder().get_environ()
    environ["HTTP_HOST"] = host
    environ.update({f"HTTP_{name.upper()}": value for name, value in headers.items()})
    answers: list[str] = []

    def start(said: str, *_: Any) -> Any:
        answers.append(said)

    list(GUARD(environ, start))
    return int(answers[0].split()[0])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4566", "127.0.0.1", "127.9.9.9:1", "localhost:4566", "LocalHost", "bucket.localhost:4566",
        "[::1]:4566", "[::1]", "local-aws:4566", "LOCAL-AWS", "bucket.local-aws:4566",
    ],
)  # fmt: skip
def test_loopback_and_configured_names_are_answered(host: str) -> None:
    assert status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.test", "evil.test:4566", "127.0.0.1.evil.test", "localhost.evil.test", "evillocalhost",
        "evil.local-aws.test", "evillocal-aws", "127.0.0.1:4566,evil.test", "127.0.0.1@evil.test", "10.0.0.7",
        "0.0.0.0:4566", "[::]", "[fe80::1]", "127.0.0.1:4566:1", "[::1", "localhost.", ".",
    ],
)  # fmt: skip
def test_every_other_host_is_refused_since_its_name_may_lead_here(host: str) -> None:
    assert status(host) == 403


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.test", "https://127.0.0.1:4566", "http://127.0.0.1:8080", "http://localhost:4566",
        "http://127.0.0.1", "null", "", "http://127.0.0.1:4566.evil.test", "file://",
    ],
)  # fmt: skip
def test_every_other_origin_is_refused(origin: str) -> None:
    assert status("127.0.0.1:4566", Origin=origin) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site", "something-new", ""])
def test_every_other_site_is_refused(site: str) -> None:
    assert status("127.0.0.1:4566", Sec_Fetch_Site=site) == 403


def test_a_person_who_types_the_address_and_the_page_itself_are_answered() -> None:
    assert status("127.0.0.1:4566", Sec_Fetch_Site="none", Sec_Fetch_Mode="navigate") == 200
    assert status("127.0.0.1:4566", Sec_Fetch_Site="same-origin", Origin="http://127.0.0.1:4566") == 200


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.test"}])
def test_no_answer_can_be_read_or_run_by_a_page(headers: dict[str, str]) -> None:
    answer = Client(GUARD).get("/", base_url="http://127.0.0.1:4566", headers=headers)
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]
    assert answer.headers.getlist("Content-Security-Policy") == ["sandbox"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
