"""Lists come in pages, in the promised order, through one filter at a time."""

from __future__ import annotations

from typing import Any

import pytest

from include.local_stack.local_aws.comprehend.errors import ApiError
from include.local_stack.local_aws.comprehend.listing import page, select
from include.local_stack.local_aws.comprehend.store import JOB, Resource

MATCHES = {"JobName": lambda resource, name: resource.properties["JobName"] == name}


def jobs(number: int) -> list[Resource]:
    return [
        Resource(JOB, f"arn:{n}", "us-east-1", n, {"SubmitTime": float(n), "JobName": f"job{n % 2}"})
        for n in range(number)
    ]


def chosen(**criteria: Any) -> list[int]:
    return [job.number for job in select(jobs(4), {"Filter": criteria}, MATCHES)]


class TestFilters:
    def test_without_a_filter_the_newest_come_first(self) -> None:
        assert [job.number for job in select(jobs(3), {}, MATCHES)] == [2, 1, 0]

    def test_before_a_time_the_oldest_come_first(self) -> None:
        assert chosen(SubmitTimeBefore=2.0) == [0, 1]

    def test_after_a_time_the_newest_come_first(self) -> None:
        assert chosen(SubmitTimeAfter=0.0) == [3, 2, 1]

    def test_other_members_choose(self) -> None:
        assert chosen(JobName="job1") == [3, 1]

    def test_two_members_are_one_too_many(self) -> None:
        with pytest.raises(ApiError, match="InvalidFilterException"):
            chosen(JobName="job1", SubmitTimeAfter=0.0)


class TestPages:
    def items(self, number: int) -> list[tuple[str, Any]]:
        return [(f"key{n}", n) for n in range(number)]

    def test_pages_follow_one_another_to_the_end(self) -> None:
        seen: list[int] = []
        request: dict[str, Any] = {"MaxResults": 3}
        while True:
            answer = page(self.items(7), request, "List")
            seen += answer["List"]
            if "NextToken" not in answer:
                break
            request["NextToken"] = answer["NextToken"]
        assert seen == list(range(7))

    def test_a_page_has_100_results_unless_told_otherwise(self) -> None:
        assert len(page(self.items(101), {}, "List")["List"]) == 100

    def test_a_full_last_page_has_no_token(self) -> None:
        assert "NextToken" not in page(self.items(3), {"MaxResults": 3}, "List")

    def test_new_items_in_front_shift_nothing(self) -> None:
        answer = page(self.items(5), {"MaxResults": 2}, "List")
        more = [("new", "new"), *self.items(5)]
        following = page(more, {"MaxResults": 2, "NextToken": answer["NextToken"]}, "List")
        assert following["List"] == [2, 3]

    def test_the_last_one_shown_may_vanish(self) -> None:
        answer = page(self.items(5), {"MaxResults": 2}, "List")
        fewer = [item for item in self.items(5) if item[1] != 1]
        following = page(fewer, {"MaxResults": 2, "NextToken": answer["NextToken"]}, "List")
        assert following["List"] == [2, 3]

    @pytest.mark.parametrize("token", ["nonsense", "e30=", "bnVsbA=="])
    def test_a_token_of_nobodys_is_refused(self, token: str) -> None:
        with pytest.raises(ApiError, match="INVALID_NEXT_TOKEN"):
            page(self.items(5), {"NextToken": token}, "List")
