"""A person logs in to Airflow's UI and finds the DAGs of the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from nightsort_local.stack import LocalStack

pytestmark = [pytest.mark.ui, pytest.mark.timeout(600)]


def test_a_person_logs_in_and_sees_the_dags_of_the_samples(browser: Browser, whole_stack: LocalStack) -> None:
    page = browser.new_page()
    page.goto(f"{whole_stack.airflow_url}/dags")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(whole_stack.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("aws-services: classify", exact=True)).to_be_visible(timeout=60_000)
