"""``nightsort close-endpoints``: show the endpoints that are open, and close them without Airflow."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from nightsort.comprehend.prices import endpoint_cost, usd_text
from nightsort.opening.bill import usd_per_hour
from nightsort.terminal import Terminal
from nightsort.wording import number_of
from nightsort_airflow.aws_errors import CLOSE_POLICY, remedy
from nightsort_airflow.hooks.endpoints import EndpointsOf, unscaling
from nightsort_airflow.states import EndpointStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort_airflow.hooks.endpoints import OurEndpoint

POLL_SECONDS: Final = 5


def run(classifiers: Sequence[str], *, everything: bool, yes: bool, minutes: int) -> int:
    """
    Show the endpoints of Nightsort, and close those that are named; return the exit code.

    :param classifiers: whose endpoints are closed.
    :param everything: whether all are.
    :param yes: whether they are closed, and not only shown.
    :param minutes: how long to wait for those that cannot be deleted yet.
    """
    out, err = Terminal(soft_wrap=True, highlight=False), Terminal(stderr=True, soft_wrap=True)
    try:
        endpoints = EndpointsOf(boto3.client("comprehend"), boto3.client("application-autoscaling"))
        found, unknown = endpoints.our_endpoints()
    except (BotoCoreError, ClientError) as error:
        err.print(f"Cannot list endpoints: {error}. {remedy(error, CLOSE_POLICY) or ''}", style="red")
        return 2
    open_ones = [endpoint for endpoint in found if endpoint.state.status is not EndpointStatus.DELETING]
    named = [endpoint for endpoint in open_ones if everything or endpoint.classifier in classifiers]
    for endpoint in open_ones:
        out.print(_line(endpoint))
    out.print(_sum(open_ones))
    for each in unknown:
        # Nobody knows what a deletion does in a state that is new.
        err.print(f"{each.why} Close it by `aws comprehend delete-endpoint --endpoint-arn`.", style="red")
    there = {endpoint.classifier for endpoint in found} | {each.classifier for each in unknown}
    if missing := sorted(set(classifiers) - there):
        out.print(f"No endpoint is open for {', '.join(missing)}.")
    if not named:
        if open_ones and not classifiers:
            out.print("Name the classifiers whose endpoints are to be closed, or add --all.")
        return 1 if unknown else 0
    if not yes:
        names = ", ".join(endpoint.state.name for endpoint in named)
        out.print(f"Nothing was closed. With --yes, this closes {names}.")
        return 1 if unknown else 0
    failed = [endpoint for endpoint in named if not _close(endpoints, endpoint, minutes, out, err)]
    return 1 if failed or unknown else 0


def _line(endpoint: OurEndpoint) -> str:
    state = endpoint.state
    units = state.billed_units
    since = state.created or datetime.now(timezone.utc)
    seconds = (datetime.now(timezone.utc) - since).total_seconds()
    return (
        f"{state.name}  {state.status.value}  {state.serves}  since {since.astimezone():%Y-%m-%d %H:%M}  "
        f"about {usd_text(endpoint_cost(seconds, units))} so far, {usd_text(24 * usd_per_hour(units))} a day"
    )


def _sum(endpoints: Sequence[OurEndpoint]) -> str:
    if not endpoints:
        return "No endpoint of Nightsort is open in this account and region."
    units = sum(found.state.billed_units for found in endpoints)
    return f"{number_of(len(endpoints), 'endpoint')}: {usd_text(24 * usd_per_hour(units))} a day."


def _close(endpoints: EndpointsOf, endpoint: OurEndpoint, minutes: int, out: Terminal, err: Terminal) -> bool:
    """Close an endpoint, as soon as AWS takes that, and forget its scaling; return whether both is done."""
    name, deadline = endpoint.state.name, time.monotonic() + 60 * minutes
    try:
        while not endpoints.delete_endpoint(endpoint.state.arn):
            if time.monotonic() >= deadline:
                err.print(f"{name} is still being opened or changed, and open: call this again.", style="red")
                return False
            time.sleep(POLL_SECONDS)
    except (BotoCoreError, ClientError) as error:
        err.print(
            f"{name} is open: {error}. {remedy(error, CLOSE_POLICY) or 'Call this again.'}", style="red"
        )
        return False
    out.print(f"Closed {name}: it costs nothing any more.")
    try:
        endpoints.unscale(endpoint.state.arn)
    except (BotoCoreError, ClientError) as error:
        what = "Application Auto Scaling may still know it, and would change the units of the next one"
        then = remedy(error, CLOSE_POLICY) or ""
        err.print(f"{name}: {what}: {error}. {then} Then: {unscaling(endpoint.state.arn)}", style="red")
        return False
    return True
