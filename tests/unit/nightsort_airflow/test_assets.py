from __future__ import annotations

from nightsort_airflow import assets


def test_assets_are_named_after_the_classifier() -> None:
    assert assets.predictions_asset("tickets").uri == "x-nightsort://tickets/predictions"
    assert assets.active_version_asset("tickets").uri == "x-nightsort://tickets/active-version"
    assert assets.active_version_alias("tickets").name == "nightsort_tickets_promotion"
