from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort_airflow import assets

if TYPE_CHECKING:
    from airflow.sdk import Asset


@pytest.mark.parametrize(
    ("asset", "what"),
    [
        (assets.predictions_asset("tickets"), "predictions"),
        (assets.export_asset("tickets"), "export"),
        (assets.active_version_asset("tickets"), "active-version"),
    ],
)
def test_the_uri_is_made_of_the_name_and_a_description_says_when_it_is_updated(
    asset: Asset, what: str
) -> None:
    assert asset.name == f"nightsort/tickets/{what}"
    assert asset.uri == f"x-nightsort://{asset.name}"
    assert asset.group == "nightsort"
    description = asset.extra["description"]
    assert isinstance(description, str)
    assert "tickets" in description
    assert "Updated when" in description


def test_the_alias_is_named_and_grouped_as_the_assets() -> None:
    alias = assets.active_version_alias("tickets")
    assert (alias.name, alias.group) == ("nightsort/tickets/promotion", "nightsort")
