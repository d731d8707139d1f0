"""A page that a developer opens tries all that a browser lets it: the local AWS stores and tells nothing.

The same page finds an unprotected server an easy prey, so that it is known to try.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.local_aws_server import LocalAwsServer, local_aws, wait_until
from tests.ui.browser import new_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.ui, pytest.mark.timeout(600)]

PAGE = (Path(__file__).parent / "hostile_page.html").read_text(encoding="utf-8")
PRIVATE = "a document that is nobody's business"


class Site:
    """A web site whose pages are hostile; it notes what reaches it."""

    def __init__(self) -> None:
        self.target = ""
        self.reached: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.reached.append(self.path)
                own = f"http://{self.headers['Host']}"
                body = PAGE.replace("TARGET", site.target).replace("OWN", own).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


class Prey:
    """A server without any protection: it takes what comes, and shows a stored page as a page."""

    def __init__(self, executed: str) -> None:
        self.taken: list[tuple[str, str]] = []
        prey = self
        contents = {
            "/documents/secret.txt": ("text/plain", PRIVATE),
            "/documents/code.js": ("text/javascript", "1"),
            "/documents/page.html": ("text/html", running(executed)),
        }

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                prey.taken.append((self.command, self.path))
                kind, text = contents.get(self.path.partition("?")[0], ("text/plain", ""))
                self.send_response(200)
                for name in ("Origin", "Methods", "Headers"):
                    self.send_header(f"Access-Control-Allow-{name}", self.headers["Origin"] or "*")
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    with serving(made.server):
        yield made


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = new_context(browser)
    yield context.new_page()
    context.close()


def running(address: str) -> str:
    """A page whose script calls an address, and writes to its own server."""
    script = f"new Image().src='{address}'; fetch('/documents/owned', {{method: 'PUT', body: 'x'}})"
    return f"<title>stored</title><p>text</p><script>{script}; document.title = 'ran'</script>"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws() as server:
        server.client("s3").create_bucket(Bucket="documents")
        yield server


def store(aws: LocalAwsServer, executed: str) -> Any:
    """Store what a page would like to read or run, readable by everybody; return S3's client."""
    s3 = aws.client("s3")
    for key, kind, text in (
        ("secret.txt", "text/plain", PRIVATE),
        ("code.js", "text/javascript", f"fetch('{executed}')"),
        ("page.html", "text/html", running(executed)),
    ):
        s3.put_object(Bucket="documents", Key=key, Body=text.encode(), ContentType=kind, ACL="public-read")
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "PUT", "POST"], "AllowedHeaders": ["*"]}
    s3.put_bucket_cors(Bucket="documents", CORSConfiguration={"CORSRules": [rule]})
    return s3


def state(aws: LocalAwsServer) -> list[Any]:
    """What a page could have changed."""
    s3 = aws.client("s3")
    objects = s3.list_objects_v2(Bucket="documents")["Contents"]
    return [
        [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]],
        [(entry["Key"], entry["ETag"]) for entry in objects],
        [user["UserName"] for user in aws.client("iam").list_users()["Users"]],
        aws.control.faults(),
    ]


@pytest.mark.parametrize("host", ["evil.test", "localhost", "127.0.0.1"])
def test_a_page_of_another_origin_gets_nothing(
    page: Page, site: Site, aws: LocalAwsServer, host: str
) -> None:
    own = f"http://{host}:{site.port}"
    store(aws, f"{own}/executed")
    site.target = aws.url
    before = state(aws)

    page.goto(own)
    tried: dict[str, str] = page.evaluate("everything()")

    assert len(tried) > 35
    assert state(aws) == before
    assert not [path for path in site.reached if "executed" in path]
    assert not [name for name, got in tried.items() if PRIVATE in got]
    assert not [name for name, got in tried.items() if got.startswith("200") or got in ("open", "ran")], tried
    assert {tried[name] for name in ("script", "worker", "style", "image")} == {"refused"}


def test_a_stored_page_that_a_person_opens_runs_nothing(page: Page, site: Site, aws: LocalAwsServer) -> None:
    store(aws, f"http://evil.test:{site.port}/executed")
    before = state(aws)

    answer = page.goto(f"{aws.url}/documents/page.html", wait_until="networkidle")

    assert answer is not None
    assert answer.status == 200
    assert page.text_content("p") == "text"
    assert page.title() == "stored"
    assert state(aws) == before
    assert site.reached == []


def test_a_name_that_leads_to_this_machine_is_refused(page: Page, site: Site, aws: LocalAwsServer) -> None:
    store(aws, f"http://evil.test:{site.port}/executed")
    port = aws.url.rpartition(":")[2]

    answer = page.goto(f"http://rebound.test:{port}/documents/page.html", wait_until="networkidle")

    assert answer is not None
    assert answer.status == 403
    assert PRIVATE not in page.content()
    assert site.reached == []


def test_a_server_without_protection_is_an_easy_prey(page: Page, site: Site) -> None:
    own = f"http://evil.test:{site.port}"
    prey = Prey(f"{own}/executed")
    with serving(prey.server):
        site.target = f"http://127.0.0.1:{prey.port}"
        page.goto(own)
        tried = page.evaluate("everything()")
        # Nobody waits for what a stored page sends.
        wait_until(lambda: ("PUT", "/documents/owned") in prey.taken, "a stored page to run")
        wait_until(lambda: "/executed" in site.reached, "a stored page to tell its site")

    assert ("POST", "/documents") in prey.taken
    assert ("POST", "/_nightsort/faults") in prey.taken
    assert PRIVATE in tried["xhr plain"]
    assert tried["script"] == "loaded"
