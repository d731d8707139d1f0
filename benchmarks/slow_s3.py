"""An S3 that answers after 30 ms, as AWS does within a region.

It takes every object and keeps none. What it gives are the files of this machine, each with its path as its
key: ``s3://nightsort/tmp/folder/file``.

What is measured against it is the client: how many requests it has on their way at once, and what a request
costs it. ``python -m benchmarks.slow_s3 FOLDER`` serves and writes its address to ``FOLDER/address``.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
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
_REQUESTS = "/-/requests"
_PAGE = 1_000
_MISSING = "<Error><Code>NoSuchKey</Code><Message>There is nothing here.</Message></Error>"
_START_SECONDS = 30


@contextmanager
def slow_s3(folder: Path) -> Iterator[Mapping[str, str]]:
    """Start the server and give the environment in which AWS clients find it.

    :param folder: of its own.
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


def requests() -> dict[str, int]:
    """Return the number of requests by kind (``LIST``, ``HEAD``, ``GET``, ``PUT``) since the last call."""
    with urlopen(os.environ["AWS_ENDPOINT_URL"] + _REQUESTS) as answer:
        counted: dict[str, int] = json.loads(answer.read())
    return counted


def uri_of(path: Path) -> str:
    """Return the URI under which a file or folder of this machine is served."""
    return f"s3://{BUCKET}{path.resolve()}"


def _listing(query: Mapping[str, str]) -> str:
    """Return a page of the objects below a prefix, which is a folder."""
    prefix, start = query["prefix"], int(query.get("continuation-token", "0"))
    keys = sorted(str(path)[1:] for path in Path(f"/{prefix}").glob("**/*") if path.is_file())
    page = keys[start : start + _PAGE]
    objects = "".join(
        f"<Contents><Key>{key}</Key><Size>{Path(f'/{key}').stat().st_size}</Size>"
        "<LastModified>2026-11-21T00:00:00.000Z</LastModified></Contents>"
        for key in page
    )
    more = start + _PAGE < len(keys)
    token = f"<NextContinuationToken>{start + _PAGE}</NextContinuationToken>" if more else ""
    return (
        f"<ListBucketResult><Prefix>{prefix}</Prefix><KeyCount>{len(page)}</KeyCount>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{objects}</ListBucketResult>"
    )


async def _serve(folder: Path) -> None:
    stored = 0
    asked: Counter[str] = Counter()

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal stored
        if request.path == _REQUESTS:
            told = json.dumps(asked)
            asked.clear()
            return web.Response(text=told)
        if request.path == _COUNT:
            count, stored = stored, 0
            return web.Response(text=str(count))
        await request.read()
        await asyncio.sleep(_SECONDS)
        asked["LIST" if "list-type" in request.query else request.method] += 1
        if "list-type" in request.query:
            return web.Response(text=_listing(request.query), content_type="application/xml")
        file = Path(request.path.removeprefix(f"/{BUCKET}"))
        if request.method in ("GET", "HEAD") and file.is_file():
            return web.FileResponse(file)
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
