"""An S3 that takes every object, keeps none, and answers after 30 ms, as AWS does within a region.

What is measured against it is the client: how many requests it has on their way at once, and what a request
costs it. ``python -m benchmarks.slow_s3 FOLDER`` serves and writes its address to ``FOLDER/address``.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUCKET = "nightsort"
_SECONDS = 0.03
_COUNT = "/-/stored"
_MISSING = "<Error><Code>NoSuchKey</Code><Message>There is nothing here.</Message></Error>"
_START_SECONDS = 30


@contextmanager
def slow_s3(folder: Path) -> Iterator[Mapping[str, str]]:
    """Start the server and give the environment in which AWS clients find it.

    Args:
        folder: of its own.
    """
    address = folder / "address"
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.slow_s3", str(folder)])
    try:
        end = time.monotonic() + _START_SECONDS
        while not address.exists():
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"benchmarks.slow_s3 did not start within {_START_SECONDS} s")
            time.sleep(0.05)
        yield {
            "AWS_ENDPOINT_URL": address.read_text(),
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.terminate()
        server.wait()


def stored_objects() -> int:
    """Return how many objects were stored since this was last asked."""
    with urlopen(os.environ["AWS_ENDPOINT_URL"] + _COUNT) as answer:
        return int(answer.read())


async def _serve(folder: Path) -> None:
    stored = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal stored
        if request.path == _COUNT:
            told, stored = stored, 0
            return web.Response(text=str(told))
        await request.read()
        await asyncio.sleep(_SECONDS)
        if request.method != "PUT":
            return web.Response(status=404, text=_MISSING, content_type="application/xml")
        stored += 1
        return web.Response(headers={"ETag": '"0"'})

    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{key:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    (folder / "starting").write_text(f"http://127.0.0.1:{port}")
    (folder / "starting").rename(folder / "address")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
