"""Addresses of the pages that nobody meant: each is told that there is no such page, and none is a fault."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.ui_client import ROUTE_VALUES, Found, pages, write_specs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient

pytestmark = pytest.mark.integration

ODD = st.one_of(
    st.sampled_from(
        [
            *(
                b"a\0b",
                b"\0",
                b"tickets\0",
                b"tickets\n",
                b"a\nb",
                b"..",
                b".",
                b"%2e%2e",
                b"a" * 5_000,
                b"\xff\xfe",
            ),
            *(
                b"\xed\xa0\x80",
                b"' OR 1=1 --",
                b"<script>",
                "\u202e\u7968".encode(),
                b" ",
                b"20200101",
                b"v0",
                b"%00",
            ),
            *(b"tickets;", b"tickets?", b"tickets#", b"\\", b"{classifier}", b"None", b"-1", b"1e999"),
        ]
    ),
    st.binary(min_size=1, max_size=40),
    st.text(min_size=1, max_size=20).map(lambda text: text.encode("utf-8", "replace")),
).filter(lambda odd: odd.decode("utf-8", "replace") not in ROUTE_VALUES.values() and b"/" not in odd)
"""What a person, a program or an attacker may write in place of a name."""


@pytest.fixture(scope="module")
def client(months: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = write_specs(tmp_path_factory.mktemp("odd") / "specs", "tickets", "reviews", "mails")
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("NIGHTSORT_SPECS", str(folder))
        yield pages(months)


def routes_with_parameters(client: TestClient) -> list[str]:
    app = client.app.routes[0].app.app  # type: ignore[attr-defined]
    return [route.path for route in app.routes if "{" in route.path]


def test_the_routes_that_are_tried_are_all_with_parameters(client: TestClient) -> None:
    found = routes_with_parameters(client)
    assert len(found) >= 6
    for path in found:
        if "static" not in path:
            assert client.get(f"/nightsort{path.format(**ROUTE_VALUES)}").status_code == 200


def ask(client: TestClient, path: bytes) -> tuple[int, str]:
    """Ask for a path as a server passes it on; a client would resolve dots, a mount refuses line breaks."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "scheme": "http", "root_path": "/nightsort", "query_string": b"",
        "path": f"/nightsort{path.decode('utf-8', 'replace')}", "raw_path": path, "server": ("airflow", 80),
        "headers": [(b"authorization", b"Bearer a-token")],
    }  # fmt: skip
    asyncio.run(client.app.routes[0].app(scope, receive, send))  # type: ignore[attr-defined]
    return sent[0]["status"], b"".join(message["body"] for message in sent[1:]).decode()


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_an_odd_part_of_an_address_is_no_such_page(client: TestClient, data: Any) -> None:
    path = data.draw(st.sampled_from(routes_with_parameters(client)))
    names = [name for name in ROUTE_VALUES if f"{{{name}}}" in path]
    odd = {name: data.draw(ODD) for name in data.draw(st.sets(st.sampled_from(names), min_size=1))}
    parts = {name.encode(): odd.get(name, value.encode()) for name, value in ROUTE_VALUES.items()}
    status, text = ask(client, re.sub(rb"{(\w+)}", lambda found: parts[found[1]], path.encode()))
    assert status == 404
    assert "There is no such" in text


@given(dag=ODD, run=ODD, page=st.sampled_from(["run", "dag"]))
@settings(max_examples=50, deadline=None)
def test_an_odd_run_or_dag_is_foreign_or_no_such_page(
    client: TestClient, dag: bytes, run: bytes, page: str
) -> None:
    for dag_id in (dag, b"classify_" + dag, b"classify_tickets"):
        query = f"dag_id={quote_from_bytes(dag_id, safe='')}&run_id={quote_from_bytes(run, safe='')}"
        answer = client.get(f"/nightsort/{page}?{query}")
        assert answer.status_code in (200, 302, 404), query


@pytest.mark.parametrize("part", ["nights/20200101", "versions/v0", "nights/20200101/predictions.csv"])
def test_who_asks_for_another_night_or_version_of_a_classifier_is_led_to_it(
    client: TestClient, part: str
) -> None:
    answer = client.get(f"/nightsort/classifiers/tickets/{part}")
    assert answer.status_code == 404
    found = Found(answer.text)
    assert ("There is no such night" in found.text) == part.startswith("nights")
    assert "/nightsort/classifiers/tickets" in found.links
    nobody = Found(client.get(f"/nightsort/classifiers/nobody/{part}").text)
    assert "There is no such page" in nobody.text
    assert [link for link in nobody.links if "classifiers" in link] == []
