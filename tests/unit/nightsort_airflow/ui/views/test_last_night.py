"""What the overview makes of them is in ``test_overview.py``."""

from __future__ import annotations

from dataclasses import replace

from nightsort_airflow.ui.views.last_night import Rows, begun_night
from tests.unit.nightsort_airflow.ui.ui_rows import FACTS, run

ROWS = Rows()
ROWS.add([run()])


def test_a_later_day_without_a_row_is_the_last_night() -> None:
    later = replace(FACTS, run_id="scheduled__2", run_key="20261102")
    assert begun_night(run(), [later], ROWS) is later
    assert begun_night(None, [later], Rows()) is later


def test_no_run_of_another_kind_is_the_last_night() -> None:
    others = [
        replace(FACTS, run_id="by hand", run_key="20261102-0a1b2c3d"),
        replace(FACTS, run_id="of an older day", run_key="20261015"),
        replace(FACTS, run_id="of the same day", run_key="20261101"),
        replace(FACTS, run_id="of a day that is none", run_key=None),
        replace(FACTS, run_key="20261102"),
    ]
    assert begun_night(run(), others, ROWS) is None, "the last one has a row"
