from __future__ import annotations

from nightsort.real_time.endpoint import EndpointNotInServiceError, ModelChangedError, RefusedDocumentError


def test_another_try_helps_where_the_endpoint_comes_back_and_never_for_a_document() -> None:
    assert EndpointNotInServiceError.retryable
    assert ModelChangedError.retryable
    assert RefusedDocumentError("Too large.", "TOO_LARGE").code == "TOO_LARGE"
