from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from airflow.serialization.decoders import decode_deadline_reference
from airflow.serialization.encoders import encode_deadline_reference

from nightsort_airflow.deadlines import NightLoadedBy

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("due", "loaded_by", "moment"),
    [
        (datetime(2026, 11, 18, 2, tzinfo=BERLIN), "06:30", datetime(2026, 11, 18, 6, 30, tzinfo=BERLIN)),
        (datetime(2026, 11, 18, 22, tzinfo=BERLIN), "06:30", datetime(2026, 11, 19, 6, 30, tzinfo=BERLIN)),
        (datetime(2026, 11, 18, 6, 30, tzinfo=BERLIN), "06:30", datetime(2026, 11, 18, 6, 30, tzinfo=BERLIN)),
    ],
    ids=["the same morning", "the next morning", "at once"],
)
def test_a_night_is_to_be_loaded_at_the_next_such_time(
    due: datetime, loaded_by: str, moment: datetime
) -> None:
    assert NightLoadedBy(loaded_by, "Europe/Berlin").after(due) == moment


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_it_is_the_time_on_the_wall_also_in_the_night_in_which_clocks_change(day: str) -> None:
    due = datetime.fromisoformat(f"{day}T01:00").replace(tzinfo=BERLIN)
    assert (
        NightLoadedBy("06:30", "Europe/Berlin").after(due).astimezone(BERLIN).strftime("%F %R")
        == f"{day} 06:30"
    )


def test_the_scheduler_rebuilds_it_from_the_database() -> None:
    """Airflow looks it up among the plugin's deadline references; not found, no run could be made."""
    sent = encode_deadline_reference(NightLoadedBy("06:30", "Europe/Berlin"))
    back = decode_deadline_reference(sent)
    assert back.serialize_reference() == {
        "reference_type": "NightLoadedBy",
        "loaded_by": "06:30",
        "timezone": "Europe/Berlin",
    }
