"""Which failed documents are sent again: those whose reason does not lie in the document.

What an endpoint did not classify, and a job can, is sent as a job (:data:`NEEDS_A_JOB`).

The Developer Guide describes no line of a failed document for custom classification. The codes are those that
the API itself names, and those that the guide names for lines of its other asynchronous jobs. A code that is
not listed here counts as a fault of the document: it is not sent again, since that would cost money for
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nightsort.results.join import MISSING, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODEL: Final = "botocore, model comprehend/2017-11-27"
_COMMON: Final = "Amazon Comprehend API Reference, Common Errors"

NOT_ASKED: Final = "error:ENDPOINT_NOT_ASKED"
"""Our own reason: the endpoint was closed, or served another version, before the document's turn."""

NEEDS_A_JOB: Final[Mapping[str, str]] = {
    NOT_ASKED: "our own reason: it says nothing about the document",
    "error:TEXT_SIZE_LIMIT_EXCEEDED": "Developer Guide, guidelines-and-limits: 10 KB for a request in real "
    "time, 10 MB for a document of a job",
}
"""Reasons of documents that an endpoint did not classify, and a job can, each with its source. Where a job
gives such a reason, another one would do so too."""

CURABLE: Final[Mapping[str, str]] = {
    # api-async-insights: behind a line of an unsupported encoding, the job ignores the rest of the file. So a
    # document may be missing because of another one.
    MISSING: "Developer Guide, api-async-insights",
    UNREADABLE: "our own reason: the output is damaged, which says nothing about the document",
    "error:INTERNAL_SERVER_ERROR": f"{_MODEL}, PageBasedErrorCode",
    "error:TEXTRACT_PROVISIONED_THROUGHPUT_EXCEEDED": f"{_MODEL}, PageBasedErrorCode",
    "error:InternalServerException": f"{_MODEL}, error 500 of every operation",
    "error:TooManyRequestsException": f"{_MODEL}, error 429 of every operation",
    "error:InternalFailure": f"{_COMMON}, HTTP 500",
    "error:ServiceUnavailable": f"{_COMMON}, HTTP 503",
    "error:ThrottlingException": f"{_COMMON}, HTTP 400, the request may be repeated",
    "error:INTERNAL_ERROR": "assumed: no source names it, but it can mean nothing else",
}
"""Reasons that another try may cure, each with the source that names it."""
