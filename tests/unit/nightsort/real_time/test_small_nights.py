"""The choice between a job and the open endpoint, and what the row says of it."""

from __future__ import annotations

import pytest

from nightsort.opening.plan import Endpoint
from nightsort.real_time.small_nights import Choice, choose, what_became

ONE, TWO = (f"arn:aws:comprehend:us-east-1:1:document-classifier/tickets/version/v{n}" for n in (1, 2))

OPEN = "fewer than batch.endpoint_below (500), and the endpoint is open: about "
PACE = " at the pace that AWS documents"
MOVING = "the endpoint is being moved to version v2"


def endpoint(status: str = "IN_SERVICE", serves: str = ONE, desired: str | None = None) -> Endpoint:
    return Endpoint(status, serves, desired or serves, 1, 1)


@pytest.mark.parametrize(
    ("texts", "seen", "way", "why"),
    [
        (1, endpoint(), "endpoint", "1 text to send, " + OPEN + "1 second" + PACE),
        (499, endpoint(), "endpoint", "499 texts to send, " + OPEN + "5 minutes" + PACE),
        (500, endpoint(), "job", "500 texts to send, not fewer than batch.endpoint_below (500)"),
        (1_000_000, None, "job", "1,000,000 texts to send, not fewer than batch.endpoint_below (500)"),
        (3, None, "job", "3 texts to send, but the endpoint is closed"),
        (3, endpoint("CREATING"), "job", "3 texts to send, but the endpoint is CREATING"),
        (3, endpoint("DELETING"), "job", "3 texts to send, but the endpoint is DELETING"),
        (3, endpoint("FAILED"), "job", "3 texts to send, but the endpoint is FAILED"),
        # More or fewer units: it answers meanwhile.
        (3, endpoint("UPDATING"), "endpoint", "3 texts to send, " + OPEN + "2 seconds" + PACE),
        (3, endpoint("UPDATING", TWO, ONE), "job", "3 texts to send, but the endpoint serves version v2"),
        (3, endpoint("UPDATING", ONE, TWO), "job", "3 texts to send, but " + MOVING),
        (3, endpoint(serves=TWO), "job", "3 texts to send, but the endpoint serves version v2"),
    ],
)  # fmt: skip
def test_the_choice(texts: int, seen: Endpoint | None, way: str, why: str) -> None:
    assert choose(texts, 30 * texts, 500, seen, ONE) == Choice(way, why)


@pytest.mark.parametrize(("units", "takes"), [(7, "8 minutes"), (10, "5 minutes"), (25, "120 seconds")])
def test_long_texts_take_longer_and_more_units_do_not(units: int, takes: str) -> None:
    seen = Endpoint("IN_SERVICE", ONE, ONE, units, units)
    assert choose(300, 300_000, 500, seen, ONE) == Choice(
        "endpoint", f"300 texts to send, {OPEN}{takes}{PACE}"
    )


@pytest.mark.parametrize(("units", "minutes"), [(0, 50), (1, 50), (4, 13), (6, 9)])
def test_what_takes_the_endpoint_longer_than_a_job_goes_as_a_job(units: int, minutes: int) -> None:
    seen = Endpoint("IN_SERVICE", ONE, ONE, units, units)
    why = f"300 texts to send, but the endpoint would take about {minutes} minutes{PACE}, longer than a job"
    assert choose(300, 300_000, 500, seen, ONE) == Choice("job", why)


@pytest.mark.parametrize(
    ("chosen", "sources", "notes", "expected"),
    [
        ("endpoint", ["endpoint", "endpoint"], [], Choice("endpoint", "few")),
        ("endpoint", ["endpoint", "job"], ["closed"], Choice("endpoint", "few; closed")),
        ("endpoint", ["job", "job"], ["closed", "closed"], Choice("job", "few; closed")),
        # The process that could say why was killed.
        (
            "endpoint",
            ["job"],
            [],
            Choice("job", "few; it did not answer when it was asked, so a job was started"),
        ),
        # Nothing was loaded.
        ("endpoint", [], [], Choice("endpoint", "few")),
        ("job", [], [], Choice("job", "few")),
    ],
)
def test_the_row_says_what_became_of_it(
    chosen: str, sources: list[str], notes: list[str], expected: Choice
) -> None:
    batches = [{"source": "endpoint"} if source == "endpoint" else {} for source in sources]
    assert what_became(Choice(chosen, "few"), batches, notes) == expected
