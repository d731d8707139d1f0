"""Settings from the environment are taken or refused by name."""

from __future__ import annotations

import pytest

from nightsort_local.local_aws.settings import SettingError, hosts, min_documents_per_label, workers


def test_the_floor_of_documents_per_label_can_be_set() -> None:
    assert min_documents_per_label({}) == 1, "recorded trainings had labels of one and of three documents"
    assert min_documents_per_label({"NIGHTSORT_LOCAL_AWS_MIN_DOCUMENTS_PER_LABEL": "50"}) == 50


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", ""])
def test_a_setting_that_is_no_number_is_named(value: str) -> None:
    with pytest.raises(SettingError, match="NIGHTSORT_LOCAL_AWS_WORKERS"):
        workers({"NIGHTSORT_LOCAL_AWS_WORKERS": value})


def test_names_of_the_server_are_separated_by_commas() -> None:
    assert hosts({}) == []
    assert hosts({"NIGHTSORT_LOCAL_AWS_HOSTS": "Local-AWS, aws.test,,10.0.0.7"}) == [
        "local-aws", "aws.test", "10.0.0.7"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["http://local-aws", "local-aws:4566", "*", ".", ".test", "test.", "a b"])
def test_a_name_that_is_more_or_less_than_a_host_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match="NIGHTSORT_LOCAL_AWS_HOSTS"):
        hosts({"NIGHTSORT_LOCAL_AWS_HOSTS": f"local-aws,{name}"})
