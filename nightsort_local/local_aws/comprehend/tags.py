"""TagResource, UntagResource and ListTagsForResource, and the check of a new resource's tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightsort.comprehend.limits import MAX_TAGS
from nightsort_local.local_aws.comprehend.errors import ApiError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nightsort_local.local_aws.comprehend.store import Store


def check_tags(tags: Sequence[Mapping[str, str]], present: Iterable[str] = ()) -> None:
    """Refuse invalid tags.

    Keys are unique on a resource and case-sensitive, ``aws:`` is reserved for AWS, and 50 is the maximum.

    :param present: keys that the resource already has.
    :raises ApiError: InvalidRequestException or TooManyTagsException.
    """
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) < len(keys):
        raise invalid_request("INVALID_TAG: The same tag key is given more than once.")
    for key in keys:
        if key.startswith("aws:"):
            raise invalid_request(f"INVALID_TAG: The tag key {key} begins with aws:, which is reserved.")
    if len({*keys, *present}) > MAX_TAGS:
        raise ApiError("TooManyTagsException", f"A resource can have at most {MAX_TAGS} tags.")


class TagOperations:
    """The tag operations on any resource of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def tag_resource(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Add tags to a resource; replace the values of existing keys."""
        resource = self._store.get(request["ResourceArn"], region)
        check_tags(request["Tags"], resource.tags)
        resource.tags.update({tag["Key"]: tag.get("Value", "") for tag in request["Tags"]})
        self._store.keep(resource)
        return {}

    def untag_resource(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Remove tags from a resource; ignore missing keys."""
        resource = self._store.get(request["ResourceArn"], region)
        if len(request["TagKeys"]) > MAX_TAGS:
            raise ApiError(
                "TooManyTagKeysException", f"At most {MAX_TAGS} tag keys can be removed at a time."
            )
        for key in request["TagKeys"]:
            resource.tags.pop(key, None)
        self._store.keep(resource)
        return {}

    def list_tags_for_resource(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Return a resource's tags."""
        resource = self._store.get(request["ResourceArn"], region)
        tags = [{"Key": key, "Value": value} for key, value in resource.tags.items()]
        return {"ResourceArn": resource.arn, "Tags": tags}
