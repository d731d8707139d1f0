"""The endpoints of Nightsort that are open: which, whether they should be, and what they cost."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from nightsort.comprehend.prices import usd_text
from nightsort.naming import ENDPOINT_PREFIX, endpoint_name
from nightsort.opening.bill import usd_per_hour
from nightsort.wording import number_of
from nightsort_airflow.aws_errors import is_denied
from nightsort_airflow.doctor.aws_access import UNREACHABLE
from nightsort_airflow.doctor.findings import Check, cannot_tell, ok, warning
from nightsort_airflow.hooks.endpoints import EndpointsOf, unscaling
from nightsort_airflow.states import EndpointStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort_airflow.doctor.aws_access import AwsAccess
    from nightsort_airflow.doctor.findings import Outcome
    from nightsort_airflow.hooks.endpoints import OurEndpoint

GROUP: Final = "endpoints"
_BY_HAND: Final = "look for endpoints in AWS's console"


def endpoint_checks(
    access: AwsAccess, specs: Sequence[ClassifierSpec], all_specs: Mapping[str, ClassifierSpec], needs: Check
) -> list[Check]:
    """
    Return the check of the endpoints that are open in a connection's account and region.

    :param access: the AWS connection.
    :param specs: the specs that use it and are checked.
    :param all_specs: all valid specs, by name.
    :param needs: the check of the connection.
    """
    if len(specs) < sum(spec.aws_conn_id == access.conn_id for spec in all_specs.values()):
        wanted: set[str] | None = {spec.name for spec in specs}
    else:
        wanted = None

    def look() -> Outcome:
        return _open_endpoints(access, all_specs, wanted)

    return [Check(GROUP, f"{access.conn_id}: open endpoints", look, (needs,))]


def _open_endpoints(
    access: AwsAccess, specs: Mapping[str, ClassifierSpec], wanted: set[str] | None
) -> Outcome:
    asked = EndpointsOf(access.client("comprehend"), access.client("application-autoscaling"))
    try:
        found, unknown = asked.our_endpoints()
    except ClientError as error:
        if not is_denied(error):
            raise
        if not any(spec.real_time for spec in specs.values()):
            return ok("no spec has real_time, and the connection may not list endpoints")
        return cannot_tell(
            "the connection may not call comprehend:ListEndpoints and ListTagsForResource",
            f"grant it docs/iam/doctor.json, or {_BY_HAND}",
        )
    except UNREACHABLE as error:
        return cannot_tell(str(error), _BY_HAND)
    there = {endpoint.state.arn for endpoint in found} | {endpoint.arn for endpoint in unknown}
    forgotten = _forgotten_scaling(asked, there, wanted)
    found = [
        endpoint
        for endpoint in found
        if endpoint.state.status is not EndpointStatus.DELETING
        and (wanted is None or endpoint.classifier in wanted)
    ]
    now = datetime.now(timezone.utc)
    wrong = {endpoint.classifier: why for endpoint in found if (why := _wrong(endpoint, specs, now))}
    says = [f"{describe(endpoint)}{wrong.get(endpoint.classifier, '')}" for endpoint in found]
    remedies = [f"close it: nightsort close-endpoints {' '.join(sorted(wrong))} --yes"] if wrong else []
    for each in unknown:
        if wanted is None or each.classifier in wanted:
            says.append(f"{each.classifier}: {each.why}")
            remedies.append(_BY_HAND)
    for arn in forgotten or ():
        says.append(f"{arn.rpartition('/')[2]} is gone, and Auto Scaling would scale the next one")
        remedies.append(unscaling(arn))
    text = "; ".join(says) or "none is open"
    if remedies:
        return warning(text, "; ".join(remedies))
    if forgotten is None and any(spec.real_time and spec.real_time.autoscale for spec in specs.values()):
        return cannot_tell(
            f"{text}; the connection may not call application-autoscaling:DescribeScalableTargets",
            "grant it docs/iam/doctor.json",
        )
    return ok(text)


def _forgotten_scaling(asked: EndpointsOf, there: set[str], wanted: set[str] | None) -> list[str] | None:
    """Return the ARNs of endpoints that are gone and may still be scaled; None: it may not be asked."""
    names = None if wanted is None else {endpoint_name(name) for name in wanted}
    try:
        scaled = {arn: arn.rpartition("/")[2] for arn in asked.scaled() if arn not in there}
    except (ClientError, *UNREACHABLE) as error:
        if isinstance(error, ClientError) and not is_denied(error):
            raise
        return None
    return [
        arn
        for arn, name in scaled.items()
        if name.startswith(ENDPOINT_PREFIX) and (names is None or name in names)
    ]


def describe(endpoint: OurEndpoint) -> str:
    """
    Return what an endpoint is, and what it costs a day, as part of a sentence.

    :param endpoint: the endpoint.
    """
    state = endpoint.state
    units = state.billed_units
    return (
        f"{endpoint.classifier}: {state.status.value}, {number_of(units, 'inference unit')}, "
        f"{usd_text(24 * usd_per_hour(units))} a day"
    )


def _wrong(endpoint: OurEndpoint, specs: Mapping[str, ClassifierSpec], now: datetime) -> str | None:
    """Return why an endpoint should not be open, as the end of a sentence; None if it may be."""
    spec = specs.get(endpoint.classifier)
    if spec is None:
        return ", and there is no spec of this name here"
    if spec.real_time is None:
        return ", but its spec has no real_time"
    hours = spec.real_time.opening_hours(spec.timezone)
    if hours.period_at(now) is None:
        return f", but its hours are {hours}: unless somebody opened it by hand, nothing closed it"
    return None
