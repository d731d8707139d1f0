"""The endpoint of a classifier, as those who ask it see it: open or closed, and which version answers."""

from __future__ import annotations

import logging
import threading
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from nightsort.errors import NightsortError
from nightsort.naming import COMMAND_TAG, endpoint_name, version_of
from nightsort.opening.bill import usd_per_hour
from nightsort.tables.endpoint_hours import endpoint_alone, is_held
from nightsort.tables.endpoint_users import is_last_user, use_endpoint
from nightsort.tables.schema import ensure_schema
from nightsort.tables.versions import active_version
from nightsort_airflow.aws_errors import SERVE_POLICY, THROTTLED, error_code, remedy
from nightsort_airflow.comprehend_requests import endpoint_tags
from nightsort_airflow.hooks.comprehend import WAITER_DELETED, WAITER_IN_SERVICE, ComprehendClassificationHook
from nightsort_airflow.hooks.database import NightsortDatabaseHook
from nightsort_airflow.hooks.endpoints import NOT_IN_SERVICE
from nightsort_airflow.states import EndpointStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort_airflow.hooks.endpoints import EndpointState

log = logging.getLogger(__name__)

# The callers of the service wait: a refusal is theirs to know, and the pace is ours.
_ONCE: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=64,
)
_LOCAL_HEALTH: Final = "/_nightsort/health"
_LONGEST_SURE: Final = 5


class EndpointClosedError(NightsortError):
    """There is no endpoint that could answer: which, what to do, and what that costs."""

    # It may be open later.
    retryable = True


class ThrottledError(Exception):
    """The endpoint was asked more than its units can do, by whomever."""


class EndpointError(NightsortError):
    """The endpoint, or the way to it, failed: what AWS answered."""

    retryable = True


@dataclass(frozen=True)
class Answer:
    """
    What an endpoint says of a text.

    :param labels: its labels with their scores, best first.
    :param accepted: of ``MULTI_LABEL`` the labels at or above the spec's threshold; else the best one.
    :param version: VersionName of the classifier version that gave the answer.
    """

    labels: tuple[tuple[str, float], ...]
    accepted: tuple[str, ...]
    version: str

    @property
    def label(self) -> str | None:
        """The best label; None if there is none."""
        return self.labels[0][0] if self.labels else None

    @property
    def score(self) -> float | None:
        """The score of the best label."""
        return self.labels[0][1] if self.labels else None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "label": self.label,
            "score": self.score,
            "labels": [{"label": label, "score": score} for label, score in self.labels],
            "accepted": list(self.accepted),
            "version": self.version,
        }


class ServedEndpoint:
    """
    Ask the endpoint of a classifier, and know which version answers. Thread-safe.

    :param spec: the classifier.
    :param hook: the connection to AWS.
    """

    def __init__(self, spec: ClassifierSpec, hook: ComprehendClassificationHook | None = None) -> None:
        self.spec = spec
        self.hook = hook or ComprehendClassificationHook(aws_conn_id=spec.aws_conn_id, config=_ONCE)
        self.arn = self.hook.classifier_endpoint_arn(spec.data_access_role_arn, spec.name)
        self.state: EndpointState | None = None
        self._is_aws = self.hook.is_aws

    @property
    def is_open(self) -> bool:
        """Whether it answered at the last look."""
        return self.state is not None and self.state.status.answers

    def look(self) -> EndpointState | None:
        """
        Ask for its state.

        :returns: the state; None: there is no endpoint.
        """
        self.state = self.hook.find_endpoint(self.arn)
        return self.state

    def classify(self, text: str) -> Answer:
        """
        Classify a text; the answer says the version that gave it.

        AWS does not say which version answered. It is sure if the endpoint served the same one before and
        after.

        :param text: a checked text.
        :raises EndpointClosedError: no endpoint answers.
        :raises ThrottledError: the endpoint throttles.
        :raises EndpointError: AWS failed.
        """
        for _ in range(_LONGEST_SURE):
            with _named_errors(self):
                if self.state is None and self.look() is None:
                    raise self.closed()
                before = self.state
                found = self.hook.client.classify_document(EndpointArn=self.arn, Text=text)
                after = self._state_afterwards()
            if before is not None and after is not None and before.model_arn == after.model_arn:
                return self._answer(found, after)
        raise EndpointError(f"{self.arn} changes its version all the time; ask again later")

    def closed(self) -> EndpointClosedError:
        """Return the error for an endpoint that does not answer."""
        state = "is not open" if self.state is None else f"is {self.state.status.value}"
        name = self.spec.name
        hour = usd_per_hour(1)
        opens = f"The DAG serve_{name} opens it, in the hours of `real_time` in the spec."
        if self.spec.real_time is None:
            opens = f"Its spec has no `real_time`: add that, and the DAG serve_{name} opens it in its hours."
        return EndpointClosedError(
            f"The endpoint {endpoint_name(name)} of {name} {state}. {opens} One inference "
            f"unit costs {hour:.2f} USD an hour, {24 * hour:.2f} a day, used or not. Documents that can wait "
            f"until night cost less: classify_{name}."
        )

    def _state_afterwards(self) -> EndpointState | None:
        """Return the state after an answer; a change of minutes is seen by the watch before it ends."""
        # A local stand-in changes its version within a fraction of a second.
        if self._is_aws and self.state is not None and self.state.is_ready:
            return self.state
        try:
            return self.look()
        except ClientError as error:
            if error_code(error) in THROTTLED:
                return self.state
            raise

    def _answer(self, found: Mapping[str, Any], state: EndpointState) -> Answer:
        classes = found.get("Classes") or found.get("Labels") or []
        labels = tuple((item["Name"], round(item["Score"], 4)) for item in classes)
        if self.spec.mode == "MULTI_LABEL":
            accepted = tuple(label for label, score in labels if score >= self.spec.threshold)
        else:
            accepted = tuple(label for label, _ in labels[:1])
        return Answer(labels, accepted, version_of(state.model_arn))


class LocalEndpoint:
    """
    The endpoint on the local stack, where it costs nothing: opened when it is closed, and closed in the end.

    Several commands may use it: the last one closes it, whoever opened it. An endpoint that a DAG opened, or
    looks after since, stays as it is.

    :param served: the endpoint.
    """

    def __init__(self, served: ServedEndpoint) -> None:
        self._served = served
        self._session: psycopg.Connection[Any] | None = None
        self._opening = threading.Lock()

    def open(self) -> None:
        """
        Open the endpoint with the active version, unless it is open, or AWS would be paid for it.

        :raises NightsortError: no version is active, or AWS does not answer.
        """
        # Several requests may find it closed.
        with self._opening, _named_errors(self._served):
            self._open()

    def _open(self) -> None:
        served, hook = self._served, self._served.hook
        state = served.look()
        if not is_local_stack(hook):
            return
        gone = state is None or state.status is EndpointStatus.DELETING
        if not (gone or self._is_a_commands()):
            return
        if gone:
            # It fails without a version, before others would take this one for a user.
            self._active_arn()
        self._begin_use()
        # Its last user may have closed it meanwhile.
        state = served.look()
        if state is not None and state.status is EndpointStatus.DELETING:
            hook.wait(WAITER_DELETED, 1, 600, EndpointArn=served.arn)
            state = None
        if state is None:
            tags = [*endpoint_tags(served.spec), {"Key": COMMAND_TAG, "Value": "yes"}]
            # None: another process opens it at this moment.
            hook.create_endpoint(
                {
                    "EndpointName": endpoint_name(served.spec.name),
                    "ModelArn": self._active_arn(),
                    "DesiredInferenceUnits": 1,
                    "Tags": tags,
                }
            )
        hook.wait(WAITER_IN_SERVICE, 1, 600, EndpointArn=served.arn)
        served.look()

    def follow(self) -> None:
        """Move the endpoint to the active version, if a command opened it; DAGs do it for theirs."""
        state = self._served.look()
        if self._session is not None and state is not None and state.is_ready:
            active = self._active_arn()
            if active != state.model_arn and self._is_a_commands():
                self._served.hook.update_endpoint(state.arn, model_arn=active)

    def close(self) -> None:
        """Close the endpoint, if a command opened it and no other one uses it."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            # No run of the DAG takes it over meanwhile.
            with endpoint_alone(session, self._served.spec.name):
                if is_last_user(session, self._served.spec.name) and self._is_a_commands():
                    self._delete()
        except psycopg.OperationalError:
            # Others may use it: the next command closes it.
            log.warning("The database has gone: %s stays open.", self._served.arn)
        finally:
            session.close()

    def _delete(self) -> None:
        while not self._served.hook.delete_endpoint(self._served.arn):
            self._served.hook.wait(WAITER_IN_SERVICE, 1, 600, EndpointArn=self._served.arn)

    def _is_a_commands(self) -> bool:
        served = self._served
        if COMMAND_TAG not in served.hook.endpoint_tags(served.arn):
            return False
        state = served.look()
        with self._tables() as connection:
            return state is not None and not is_held(connection, served.spec.name, state.created)

    def _begin_use(self) -> None:
        # A new session each time: the database may have ended the one of before.
        session, before = NightsortDatabaseHook(self._served.spec.db_conn_id).open(), self._session
        session.autocommit = True
        use_endpoint(session, self._served.spec.name)
        self._session = session
        if before is not None:
            before.close()

    @contextmanager
    def _tables(self) -> Iterator[psycopg.Connection[Any]]:
        # Before the first training there are none, and those of an earlier release have no openings.
        with NightsortDatabaseHook(self._served.spec.db_conn_id).connect() as connection:
            connection.autocommit = True
            ensure_schema(connection)
            yield connection

    def _active_arn(self) -> str:
        spec = self._served.spec
        with self._tables() as connection:
            version = active_version(connection, spec.name)
        if version is None:
            raise NightsortError(f"No version of {spec.name} is active: run the DAG train_{spec.name}.")
        return version.arn


def is_local_stack(hook: ComprehendClassificationHook) -> bool:
    """
    Return whether a connection leads to the local AWS, where an endpoint costs nothing.

    A host name is not enough: a proxy in a company's network may lead to AWS.

    :param hook: the connection.
    """
    if hook.is_aws:
        return False
    url: str = hook.client.meta.endpoint_url.rstrip("/") + _LOCAL_HEALTH
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200 and b'"status": "ok"' in answer.read(4_096))
    except OSError:
        return False


@contextmanager
def _named_errors(served: ServedEndpoint) -> Iterator[None]:
    """Give AWS's errors the kinds that callers handle. None of them has the text."""
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if code in THROTTLED:
            raise ThrottledError(code) from None
        if code == NOT_IN_SERVICE:
            served.state = None
            raise served.closed() from None
        advice = remedy(error, SERVE_POLICY) or "Try again later."
        raise EndpointError(f"Comprehend answered {code} for {served.arn}. {advice}") from None
    except BotoCoreError as error:
        raise EndpointError(
            f"Comprehend did not answer: {type(error).__name__}. Correct the AWS connection "
            f"{served.spec.aws_conn_id}, or let this machine reach Comprehend."
        ) from None
