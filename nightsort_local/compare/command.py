"""The command ``nightsort-local compare``: refuse or start, show what happens, clean up, write the report."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from nightsort.comprehend.limits import ROLE_ARN_PATTERN
from nightsort.comprehend.prices import usd_text
from nightsort.wording import number_of
from nightsort_local.compare.checks import WITH_ENDPOINT, WITH_MORE_TRAININGS, Check, chosen
from nightsort_local.compare.clean_up import delete_everything
from nightsort_local.compare.ledger import Ledger, open_ledger
from nightsort_local.compare.report import Results, counted, outcomes, write_report
from nightsort_local.compare.run import forecast_usd, is_done, run_side
from nightsort_local.compare.side import Place, Side
from nightsort_local.errors import StackError
from nightsort_local.local_aws.launcher import CREDENTIALS, launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nightsort_local.progress import Progress

LOCAL_ROLE: Final = "arn:aws:iam::123456789012:role/NightsortComprehendDataAccess"
LOCAL_DELAYS: Final = {
    f"NIGHTSORT_LOCAL_AWS_{state}_SECONDS": "1" for state in ("SUBMITTED", "TRAINING", "JOB", "ENDPOINT")
}
"""Long enough that each state is seen."""

PAUSE: Final = 15.0
LOCAL_PAUSE: Final = 0.2


@dataclass(frozen=True)
class Request:
    """What the command was asked for.

    :param bucket: the bucket of the other side.
    :param role: ARN of its data access role.
    :param most_usd: what may be spent.
    :param options: options that ask for further checks.
    :param other_url: a second local server; empty for AWS.
    :param profile: a profile of the AWS configuration; empty for the default.
    :param region: the region; empty for that of the profile.
    :param output: the folder of the ledger and the report.
    :param keep: when the command is interrupted, what it started stays and goes on.
    """

    bucket: str
    role: str
    most_usd: float
    options: frozenset[str]
    other_url: str
    profile: str
    region: str
    output: Path
    keep: bool = False

    @property
    def checks(self) -> list[Check]:
        """The checks that were asked for."""
        return chosen(self.options)


def options_of(*, endpoint: bool, more_trainings: bool) -> frozenset[str]:
    """Return the options that ask for further checks."""
    given = {WITH_ENDPOINT: endpoint, WITH_MORE_TRAININGS: more_trainings}
    return frozenset(option for option, is_given in given.items() if is_given)


def compare(request: Request, progress: Progress) -> None:
    """Run the comparison; write the report and delete everything, also after an error or Ctrl-C.

    :raises StackError: it cannot start, would cost too much, or leaves something behind.
    """
    side = _other_side(request, progress)
    ledger = side.ledger
    with progress.step("Looking at the bucket"):
        _check_bucket(side)
    usd = forecast_usd(ledger, request.checks)
    progress.console.print(_forecast_text(ledger, usd, request), soft_wrap=True)
    if usd > request.most_usd:
        raise StackError(
            f"The comparison may cost {usd_text(usd)}, and --most-usd is {usd_text(request.most_usd)}: raise "
            "it, or leave out options. Nothing was started."
        )
    with _terminated_like_interrupted():
        with progress.step("The local Comprehend"):
            here = _run_here(request, progress)
        _run_there(request, side, here, progress)


def _run_there(request: Request, side: Side, here: Results, progress: Progress) -> None:
    unreached: dict[str, str] = {}
    is_kept = False
    try:
        with progress.step("The other Comprehend"):
            unreached = run_side(side, request.checks)
    except KeyboardInterrupt:
        is_kept = request.keep
        raise
    finally:
        try:
            if not is_kept:
                _clean(side, progress)
        finally:
            _report(request, side, here, unreached, progress)


def remove(request: Request, progress: Progress) -> None:
    """Delete what an interrupted comparison left.

    :raises StackError: something could not be deleted.
    """
    side = _other_side(request, progress)
    if side.ledger.file is None or not side.ledger.file.exists():
        raise StackError(f"{request.output} remembers no comparison: give the --output that it had.")
    _clean(side, progress)


def _other_side(request: Request, progress: Progress) -> Side:
    if not ROLE_ARN_PATTERN.fullmatch(request.role):
        raise StackError(
            f"--role {request.role} is not a role's ARN; it looks like arn:aws:iam::123456789012:role/Name."
        )
    place = _other_place(request)
    where = {
        "bucket": request.bucket,
        "role": request.role,
        "other URL": request.other_url,
        "region": str(place.clients("comprehend", True).meta.region_name),
    }
    return Side(place, open_ledger(request.output / "state.json", where), progress.detail)


def _forecast_text(ledger: Ledger, usd: float, request: Request) -> str:
    left = number_of(sum(not is_done(check, ledger) for check in request.checks), "check")
    spent = f", of which {usd_text(ledger.total_usd())} are spent" if ledger.spent else ""
    return f"{left} to do. At the list prices of AWS it costs {usd_text(usd)} at most{spent}."


# --- the two places -----------------------------------------------------------------------------------------


def _run_here(request: Request, progress: Progress) -> Results:
    """Run all checks against a local AWS of the comparison's own, which is gone afterwards."""
    with launch(environment=LOCAL_DELAYS) as server:
        place = Place(_local_clients(server.url), request.bucket, LOCAL_ROLE, None, LOCAL_PAUSE)
        side = Side(place, Ledger("00000000"), progress.detail)
        side.s3.create_bucket(Bucket=request.bucket)
        unreached = run_side(side, request.checks)
        return Results(side.ledger.observed, unreached)


def _other_place(request: Request) -> Place:
    if request.other_url:
        clients, pause = _local_clients(request.other_url, request.region), LOCAL_PAUSE
    else:
        clients, pause = _aws_clients(request), PAUSE
    return Place(clients, request.bucket, request.role, request.most_usd, pause)


def _local_clients(url: str, region: str = "") -> Callable[[str, bool], Any]:
    def client(service: str, checked: bool) -> Any:
        return cast("Any", boto3).client(
            service,
            endpoint_url=url,
            region_name=region or CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=_config(checked),
        )

    return client


def _aws_clients(request: Request) -> Callable[[str, bool], Any]:
    try:
        session = boto3.Session(profile_name=request.profile or None, region_name=request.region or None)
    except BotoCoreError as error:
        raise StackError(f"{error}: correct --profile.") from error
    if session.region_name is None:
        raise StackError("No region is set: give --region, or set AWS_DEFAULT_REGION.")

    def client(service: str, checked: bool) -> Any:
        return cast("Any", session).client(service, config=_config(checked))

    return client


def _config(checked: bool) -> Config:
    # Calls that create something are limited to one a second, so there are many retries.
    return Config(parameter_validation=checked, retries={"mode": "standard", "total_max_attempts": 10})


def _check_bucket(side: Side) -> None:
    bucket = side.place.bucket
    try:
        side.s3.list_objects_v2(Bucket=bucket, Prefix=side.prefix, MaxKeys=1)
        lies_in = side.s3.head_bucket(Bucket=bucket).get("BucketRegion", side.region)
        side.comprehend.list_document_classifiers(MaxResults=1)
    except ClientError as error:
        code = error.response["Error"].get("Code")
        remedy = {
            "NoSuchBucket": "create it, or give another --bucket",
            "NotAuthorizedException": "this account has no custom classification here: give another --region",
        }.get(code or "", "docs/compare.md has the permissions that the comparison needs")
        raise StackError(
            f"{bucket} in {side.region} cannot be used: {error}. {remedy.capitalize()}."
        ) from error
    except BotoCoreError as error:
        remedy = (
            "give --profile" if isinstance(error, NoCredentialsError) else "check --other-url or --region"
        )
        raise StackError(f"{side.region} cannot be asked ({error}): {remedy}.") from error
    if lies_in != side.region:
        raise StackError(
            f"{bucket} is in {lies_in}, but Comprehend works in {side.region}: give --region {lies_in}, or a "
            "bucket there."
        )


# --- the end ------------------------------------------------------------------------------------------------


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let the signal that ends a process clean up, as Ctrl-C does."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _clean(side: Side, progress: Progress) -> None:
    with progress.step("Deleting everything that was made"):
        left = delete_everything(side)
    if left:
        raise StackError(
            "These could not be deleted; the same command with --remove tries again:\n" + "\n".join(left)
        )


def _report(
    request: Request, side: Side, here: Results, unreached: dict[str, str], progress: Progress
) -> None:
    found = outcomes(request.checks, here, Results(side.ledger.observed, unreached))
    about = {
        "compared with": "a second local server" if request.other_url else f"AWS, {side.region}",
        "nightsort": version("nightsort"),
        "botocore": version("botocore"),
        "month": datetime.now(timezone.utc).strftime("%Y-%m"),
    }
    file = write_report(request.output, found, about, side.ledger.total_usd())
    progress.console.print(f"{counted(found)}. The report: {file}", soft_wrap=True)
