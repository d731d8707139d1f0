"""A line for people has the label, the score and the version; connections outlast the clients' idle time."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvicorn

from nightsort.errors import NightsortError
from nightsort_airflow.serving import command
from nightsort_airflow.serving.app import create_app
from nightsort_airflow.serving.endpoint import Answer
from nightsort_airflow.serving.service import Service


def test_a_line() -> None:
    assert command._line(Answer((("BILLING", 0.91234), ("BUG", 0.05)), ("BILLING",), "v1")) == (
        "BILLING  0.9123  v1"
    )
    assert command._line(Answer((), (), "v1")) == "-  no label  v1"


def test_without_a_token_the_service_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NIGHTSORT_SERVE_TOKEN", raising=False)
    with pytest.raises(NightsortError, match="Callers need a token"):
        command.serve([], "127.0.0.1", 1, print)


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSORT_SERVE_TOKEN", "x" * 30)


def test_a_port_that_is_in_use_is_named_with_what_to_do(token: None) -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(NightsortError, match=f"127.0.0.1:{port} is in use .* another port with --port"):
            command.serve([], "127.0.0.1", port, said.append)
    assert said == []


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_that_is_not_of_this_machine_is_named_with_what_to_do(token: None, host: str) -> None:
    with pytest.raises(NightsortError, match=f"Cannot listen on {host}:8090: .*--host"):
        command.serve([], host, 8090, print)


class ClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose time a test moves on."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


@pytest.mark.parametrize("idle", [5, 60, 90])
def test_a_connection_outlasts_the_idle_time_of_usual_clients(idle: float) -> None:
    """
    httpx keeps a connection 5 s, proxies 60 s, Go 90 s. If the server closes it first, at the moment at
    which the client sends a request, the request has no answer.
    """
    loop = ClockLoop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET /health HTTP/1.1\r\nHost: nightsort\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        return head

    async def ask_twice() -> None:
        app: Any = create_app(Service([], 1), (b"x" * 30,))
        server = uvicorn.Server(uvicorn.Config(app, **command.SERVER_SETTINGS))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            running = asyncio.create_task(server.serve(sockets=[listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            assert (await answer(reader, writer)).startswith(b"HTTP/1.1 200")
            pause = asyncio.create_task(asyncio.sleep(idle))
            await asyncio.sleep(0)
            loop.ahead = idle
            await pause
            assert (await answer(reader, writer)).startswith(b"HTTP/1.1 200")
            writer.close()
            server.should_exit = True
            await running

    try:
        loop.run_until_complete(ask_twice())
    finally:
        loop.close()
