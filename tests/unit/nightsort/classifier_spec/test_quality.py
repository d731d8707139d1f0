"""A share that is reached is allowed; what is more is not."""

from __future__ import annotations

import pytest

from nightsort.classifier_spec.quality import is_above


@pytest.mark.parametrize("percent", range(1, 100))
def test_exactly_the_share_is_allowed(percent: int) -> None:
    assert not is_above(percent, 100, percent / 100)
    assert is_above(percent + 1, 100, percent / 100)


def test_no_documents_are_never_too_many() -> None:
    assert not is_above(0, 0, 0.0)
