"""Tags hold to AWS's rules."""

from __future__ import annotations

import pytest

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.tags import check_tags


def tags(*keys: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": "v"} for key in keys]


def test_fifty_tags_are_the_most() -> None:
    check_tags(tags(*map(str, range(50))))
    with pytest.raises(ApiError, match="TooManyTagsException"):
        check_tags(tags(*map(str, range(51))))


def test_tags_that_a_resource_has_count_once() -> None:
    present = list(map(str, range(50)))
    check_tags(tags("7"), present)
    with pytest.raises(ApiError, match="TooManyTagsException"):
        check_tags(tags("new"), present)


@pytest.mark.parametrize("keys", [("team", "team"), ("aws:team",)])
def test_a_key_is_unique_and_not_of_aws(keys: tuple[str, ...]) -> None:
    with pytest.raises(ApiError, match="InvalidRequestException"):
        check_tags(tags(*keys))


def test_keys_are_case_sensitive_as_their_prefix_is() -> None:
    check_tags(tags("team", "Team", "AWS:team"))
