"""Ask an endpoint for the domain: botocore's errors become what :mod:`nightsort.real_time` knows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from nightsort.real_time.endpoint import (
    BusyError,
    EndpointNotInServiceError,
    RefusedDocumentError,
    Serving,
)
from nightsort_airflow.aws_errors import error_code, is_temporary
from nightsort_airflow.hooks.endpoints import NOT_IN_SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
    from nightsort_airflow.hooks.endpoints import EndpointState

# The pace of the work reacts to each refusal, so botocore must not try again by itself.
REAL_TIME_CONFIG: Final = {"retries": {"total_max_attempts": 1}, "max_pool_connections": 40}


LOOK_AGAIN_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)
"""Pauses between questions about the state that AWS has no room for; botocore asks once here."""


class EndpointClient:
    """
    An endpoint, as :class:`nightsort.real_time.endpoint.Endpoint` describes it.

    :param hook: with :data:`REAL_TIME_CONFIG`.
    :param endpoint_arn: the endpoint's ARN.
    :param reader_config: DocumentReaderConfig for files; None: Comprehend's own choice.
    """

    def __init__(
        self,
        hook: ComprehendClassificationHook,
        endpoint_arn: str,
        reader_config: Mapping[str, Any] | None = None,
    ) -> None:
        self._hook = hook
        self._client = hook.client
        self._endpoint_arn = endpoint_arn
        self._reader_config = {"DocumentReaderConfig": reader_config} if reader_config else {}

    def classify(self, content: str | bytes) -> Mapping[str, Any]:
        """
        Classify one document.

        :param content: a text, or the bytes of a file.
        :returns: the answer of ClassifyDocument.
        :raises BusyError: the endpoint has no room now, or the connection was lost.
        :raises RefusedDocumentError: Comprehend cannot classify this document.
        :raises EndpointNotInServiceError: the endpoint does not answer.
        """
        request: dict[str, Any] = (
            {"Text": content} if isinstance(content, str) else {"Bytes": content, **self._reader_config}
        )
        try:
            return self._client.classify_document(EndpointArn=self._endpoint_arn, **request)
        except ClientError as error:
            raise _known(error, self._endpoint_arn) from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise BusyError(f"No connection: {error}") from error

    def serving(self) -> Serving:
        """
        Return what the endpoint serves now.

        :raises EndpointNotInServiceError: it does not answer.
        """
        endpoint = self._state()
        if endpoint is None or not endpoint.status.answers:
            state = "does not exist" if endpoint is None else f"is {endpoint.status}"
            raise EndpointNotInServiceError(
                f"The endpoint {state}. Open it, or wait until it is IN_SERVICE: {self._endpoint_arn}"
            )
        return Serving(endpoint.model_arn, endpoint.units)

    def _state(self) -> EndpointState | None:
        for seconds in LOOK_AGAIN_SECONDS:
            try:
                return self._hook.find_endpoint(self._endpoint_arn)
            except ClientError as error:
                if not is_temporary(error):
                    raise
            except (BotocoreConnectionError, HTTPClientError):
                pass
            time.sleep(seconds)
        return self._hook.find_endpoint(self._endpoint_arn)


def _known(error: ClientError, endpoint_arn: str) -> Exception:
    """Return the domain's error for an answer of ClassifyDocument; others stay as they are."""
    code = error_code(error)
    answer: dict[str, Any] = {**error.response}
    if is_temporary(error):
        return BusyError(str(error))
    if code == NOT_IN_SERVICE:
        return EndpointNotInServiceError(
            f"The endpoint does not answer any more: {error}. Open it again; a retry goes on. {endpoint_arn}"
        )
    if code == "TextSizeLimitExceededException":
        return RefusedDocumentError(str(error), "TEXT_SIZE_LIMIT_EXCEEDED")
    # These members are beside the error, not in it.
    if answer.get("Reason") == "INVALID_DOCUMENT":
        detail = answer.get("Detail") or {}
        return RefusedDocumentError(str(error), detail.get("Reason") or "INVALID_DOCUMENT")
    return error
