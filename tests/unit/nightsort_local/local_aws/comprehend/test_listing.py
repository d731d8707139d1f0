"""Lists come in pages, in the promised order, through one filter at a time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.listing import (
    Order,
    PagePosition,
    page,
    read_token,
    select,
    write_token,
)
from nightsort_local.local_aws.comprehend.store import ENDPOINT, JOB, Resource

REGION = "us-east-1"
MATCHES = {"JobName": lambda resource, name: resource.properties["JobName"] == name}


def jobs(number: int) -> list[Resource]:
    return [
        Resource(JOB, f"arn:{n}", REGION, n, {"SubmitTime": float(n), "JobName": f"job{n % 2}"})
        for n in range(number)
    ]


def chosen(**criteria: Any) -> list[int]:
    request = {"Filter": criteria}
    return [job.number for job in select(jobs(4), request, MATCHES, Order.OLDEST_FIRST)]


class TestFilters:
    @pytest.mark.parametrize(
        ("order", "numbers"), [(Order.OLDEST_FIRST, [0, 1, 2]), (Order.NEWEST_FIRST, [2, 1, 0])]
    )
    def test_without_a_filter_of_times_each_list_has_its_own_order(
        self, order: Order, numbers: list[int]
    ) -> None:
        assert [job.number for job in select(jobs(3), {}, MATCHES, order)] == numbers
        both = {"Filter": {"JobName": "job0"}}
        assert [job.number for job in select(jobs(3), both, MATCHES, order)] == numbers[::2]

    def test_before_a_time_the_oldest_come_first(self) -> None:
        assert chosen(SubmitTimeBefore=2.0) == [0, 1]

    def test_after_a_time_the_newest_come_first(self) -> None:
        assert chosen(SubmitTimeAfter=0.0) == [3, 2, 1]

    def test_other_members_choose(self) -> None:
        assert chosen(JobName="job1") == [1, 3]

    def test_two_members_are_one_too_many(self) -> None:
        with pytest.raises(ApiError, match="InvalidFilterException"):
            chosen(JobName="job1", SubmitTimeAfter=0.0)

    def test_each_kind_has_its_own_time(self) -> None:
        endpoints = [Resource(ENDPOINT, f"arn:{n}", REGION, n, {"CreationTime": float(n)}) for n in range(4)]
        before = select(endpoints, {"Filter": {"CreationTimeBefore": 2.0}}, {}, Order.NEWEST_FIRST)
        assert [endpoint.number for endpoint in before] == [0, 1]
        after = select(endpoints, {"Filter": {"CreationTimeAfter": 1.0}}, {}, Order.OLDEST_FIRST)
        assert [endpoint.number for endpoint in after] == [3, 2]


class TestPages:
    def items(self, number: int) -> list[tuple[str, Any]]:
        return [(f"key{n}", n) for n in range(number)]

    def test_pages_follow_one_another_to_the_end(self) -> None:
        seen: list[int] = []
        request: dict[str, Any] = {"MaxResults": 3}
        while True:
            answer = page(self.items(7), request, "List", REGION)
            seen += answer["List"]
            if "NextToken" not in answer:
                break
            request["NextToken"] = answer["NextToken"]
        assert seen == list(range(7))

    def test_a_page_has_100_results_unless_told_otherwise(self) -> None:
        assert len(page(self.items(101), {}, "List", REGION)["List"]) == 100

    def test_a_full_last_page_has_no_token(self) -> None:
        assert "NextToken" not in page(self.items(3), {"MaxResults": 3}, "List", REGION)

    def test_new_items_in_front_shift_nothing(self) -> None:
        answer = page(self.items(5), {"MaxResults": 2}, "List", REGION)
        more = [("new", "new"), *self.items(5)]
        following = page(more, {"MaxResults": 2, "NextToken": answer["NextToken"]}, "List", REGION)
        assert following["List"] == [2, 3]

    def test_the_last_one_shown_may_vanish(self) -> None:
        answer = page(self.items(5), {"MaxResults": 2}, "List", REGION)
        fewer = [item for item in self.items(5) if item[1] != 1]
        following = page(fewer, {"MaxResults": 2, "NextToken": answer["NextToken"]}, "List", REGION)
        assert following["List"] == [2, 3]

    @pytest.mark.parametrize(
        ("request_changes", "member", "region"),
        [
            ({"Filter": {"JobName": "job1"}}, "List", REGION),
            ({}, "OtherList", REGION),
            ({}, "List", "eu-west-1"),
        ],
    )
    def test_a_token_is_good_for_its_own_listing_only(
        self, request_changes: dict[str, Any], member: str, region: str
    ) -> None:
        answer = page(self.items(5), {"MaxResults": 2}, "List", REGION)
        foreign = {"NextToken": answer["NextToken"], **request_changes}
        with pytest.raises(ApiError, match="INVALID_NEXT_TOKEN"):
            page(self.items(5), foreign, member, region)

    def test_the_page_size_may_change_on_the_way(self) -> None:
        answer = page(self.items(5), {"MaxResults": 2}, "List", REGION)
        rest = page(self.items(5), {"MaxResults": 500, "NextToken": answer["NextToken"]}, "List", REGION)
        assert rest == {"List": [2, 3, 4]}


class TestTokens:
    @given(st.text(), st.integers(min_value=0), st.text())
    def test_a_token_tells_where_its_page_ended(self, key: str, number: int, listing: str) -> None:
        position = PagePosition(key, number)
        assert read_token(write_token(position, listing), listing) == position

    @given(st.text() | st.binary().map(lambda content: f"{content.hex()}.{content.hex()}"))
    def test_a_token_of_nobodys_is_refused(self, token: str) -> None:
        with pytest.raises(ApiError, match="INVALID_NEXT_TOKEN"):
            read_token(token, "list")

    @given(st.data())
    def test_a_forged_token_is_refused(self, data: st.DataObject) -> None:
        token = write_token(PagePosition("arn:7", 7), "list")
        place = data.draw(st.integers(0, len(token) - 1))
        other = data.draw(st.characters().filter(lambda character: character != token[place]))
        with pytest.raises(ApiError, match="INVALID_NEXT_TOKEN"):
            read_token(token[:place] + other + token[place + 1 :], "list")
