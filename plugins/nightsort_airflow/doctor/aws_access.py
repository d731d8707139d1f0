"""An AWS connection: who it is, and whether Comprehend answers it. Nothing here costs anything."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoRegionError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from nightsort_airflow.aws_errors import error_code, remedy
from nightsort_airflow.doctor.findings import Check, cannot_tell, failed, ok
from nightsort_airflow.states import JOB_RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort_airflow.doctor.findings import Outcome

GROUP: Final = "AWS"

# A dead endpoint is reported within seconds. No call changes anything, so a second attempt is harmless.
QUICK: Final = Config(
    connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2}
)
UNREACHABLE: Final = (BotocoreConnectionError, HTTPClientError)
# Well-formed ids that nobody has: the answer says whether the call is permitted, and finds nothing.
NO_JOB: Final = "0" * 32
NO_VERSION: Final = "version/none"


class QuickHook(AwsBaseHook):
    """The provider's hook with the connection's own settings, but short time limits."""

    @property
    def config(self) -> Config:
        """The botocore configuration: the connection's, with short time limits."""
        return super().config.merge(QUICK)


class AwsAccess:
    """
    One AWS connection, shared by several checks.

    :param conn_id: the Airflow connection.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self.caller: str | None = None
        """ARN of the connection's identity, after find_identity()."""
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """
        Return a boto3 client; it is made once.

        :param service: the service's name in boto3.
        """
        if service not in self._clients:
            # One session for all: each session loads the data on endpoints anew, and may assume a role.
            self._clients[service] = self._session.client(
                service,
                endpoint_url=self._hook.conn_config.get_service_endpoint_url(service_name=service),
                config=self._hook.config,
                verify=self._hook.verify,
            )
        return self._clients[service]

    @cached_property
    def _hook(self) -> QuickHook:
        return QuickHook(aws_conn_id=self.conn_id)

    @cached_property
    def _session(self) -> Any:
        return self._hook.get_session()

    @cached_property
    def region(self) -> str:
        """The region of the connection, where Comprehend works."""
        region: str = self.client("comprehend").meta.region_name
        return region

    @property
    def account(self) -> str | None:
        """The account of the connection's identity, after find_identity()."""
        return self.caller.split(":")[4] if self.caller else None

    def find_identity(self) -> Outcome:
        """Ask who the connection is, and in which region."""
        where = self._origin()
        try:
            region = self.region
        except NoRegionError:
            return failed(f"{where}, and no region", self._set_region())
        try:
            self.caller = self.client("sts").get_caller_identity()["Arn"]
        except UNREACHABLE as error:
            return cannot_tell(
                f"{where}, region {region}; STS does not answer: {error}",
                "nothing for the DAGs, which do not call STS, if the line on Comprehend is ok",
            )
        return ok(f"{where}: {self.caller}, region {region}")

    def _origin(self) -> str:
        if self._exists:
            return "the connection exists"
        return "no such connection, so boto3 uses its own chain (role, environment)"

    @cached_property
    def _exists(self) -> bool:
        try:
            BaseHook.get_connection(self.conn_id)
        except AirflowNotFoundException:
            return False
        return True

    def _set_region(self) -> str:
        """Return how to set the region."""
        if self._exists:
            return f"set region_name in the extra of the AWS connection {self.conn_id}"
        extra = """'{"region_name": "eu-west-1"}'"""
        return (
            f"create it with your region: airflow connections add {self.conn_id} --conn-type aws "
            f"--conn-extra {extra}; or set AWS_DEFAULT_REGION for every Airflow process"
        )


def aws_checks(access: AwsAccess, specs: Sequence[ClassifierSpec]) -> list[Check]:
    """
    Return the checks of a connection: itself, Comprehend, and the permission to describe.

    :param access: the connection; the first check asks who it is.
    :param specs: the specs that use it; at least one.
    """
    identity = Check(GROUP, f"connection {access.conn_id}", access.find_identity)
    comprehend = Check(
        GROUP, f"{access.conn_id}: Comprehend", lambda: jobs_of_comprehend(access), (identity,)
    )
    # A role can be passed within its own account only, so its account is ours.
    account = specs[0].data_access_role_arn.split(":")[4]
    describing = Check(
        GROUP,
        f"{access.conn_id}: may describe jobs and versions",
        lambda: may_describe(access, account, [spec.name for spec in specs]),
        (comprehend,),
    )
    return [identity, comprehend, describing]


def jobs_of_comprehend(access: AwsAccess) -> Outcome:
    """Ask Comprehend for the active jobs: whether it answers, permits the call, and is busy."""
    client = access.client("comprehend")
    active = {}
    try:
        for state in JOB_RUNNING:
            answer = client.list_document_classification_jobs(Filter={"JobStatus": state}, MaxResults=500)
            active[state] = len(answer["DocumentClassificationJobPropertiesList"])
    except UNREACHABLE as error:
        session = QuickHook(aws_conn_id=access.conn_id).get_session()
        offered = access.region in session.get_available_regions("comprehend", client.meta.partition)
        return failed(
            f"does not answer in {access.region}: {error}",
            "let this machine reach it: VPC endpoint, security group, proxy"
            if offered
            else "take a region that has Comprehend, for the connection and for work_uri",
        )
    except ClientError as error:
        return refused(error)
    busy = {state: number for state, number in active.items() if number}
    counts = ", ".join(f"{number} {state}" for state, number in busy.items()) or "no"
    return ok(f"answers in {access.region}; {counts} active jobs")


def may_describe(access: AwsAccess, account: str, classifiers: Sequence[str]) -> Outcome:
    """
    Describe a job and a version of each classifier that do not exist: a refusal is a missing permission.

    :param account: the account that owns the classifiers.
    :param classifiers: their names.
    """
    client = access.client("comprehend")
    refusal = _refusal(lambda: client.describe_document_classification_job(JobId=NO_JOB))
    for name in classifiers:
        arn = f"arn:{client.meta.partition}:comprehend:{access.region}:{account}:document-classifier/{name}"
        describe = partial(client.describe_document_classifier, DocumentClassifierArn=f"{arn}/{NO_VERSION}")
        refusal = refusal or _refusal(describe)
    return refused(refusal) if refusal else ok("may describe both")


def _refusal(ask: Callable[[], Any]) -> ClientError | None:
    """Return AWS's refusal; None if it answered, also when the resource does not exist."""
    try:
        ask()
    except ClientError as error:
        return None if error_code(error) in {"ResourceNotFoundException", "JobNotFoundException"} else error
    return None


def refused(error: ClientError | BotoCoreError) -> Outcome:
    """
    Return the finding for a call that AWS refused and that the DAGs make too.

    :param error: the refusal.
    """
    return failed(str(error), remedy(error) or "correct what the message names, or try again later")
