"""An endpoint as the domain sees it; the caller brings the client that asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from nightsort.errors import NightsortError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Serving(NamedTuple):
    """What an endpoint serves at a moment.

    :param model_arn: the classifier version that answers.
    :param units: its inference units.
    """

    model_arn: str
    units: int


class Endpoint(Protocol):
    """An endpoint that is in service. Many threads ask it."""

    def classify(self, content: str | bytes) -> Mapping[str, Any]:
        """Classify one document.

        :param content: a text; or the bytes of a PDF, Word file, image or plain text.
        :returns: the answer of ClassifyDocument.
        :raises BusyError: it has no room now, or the connection was lost: the same request may be sent again.
        :raises RefusedDocumentError: this document cannot be classified, by whomever it is sent.
        """

    def serving(self) -> Serving:
        """Return what it serves now.

        :raises EndpointNotInServiceError: it does not answer.
        """


class BusyError(Exception):
    """The endpoint had no room, or was out of reach, for a moment."""


class RefusedDocumentError(Exception):
    """Comprehend refuses a document.

    :param message: what Comprehend says of it, without its text.
    :param code: in upper case, for instance ``UNSUPPORTED_DOC_TYPE``.
    """

    def __init__(self, message: str, code: str = "INVALID_DOCUMENT") -> None:
        super().__init__(message)
        self.code = code


class EndpointNotInServiceError(NightsortError):
    """The endpoint does not answer. A later try goes on with the documents that are left."""

    retryable: ClassVar[bool] = True


class ModelChangedError(NightsortError):
    """The endpoint serves another version than the one that the work began with, or is meant for."""

    retryable: ClassVar[bool] = True
