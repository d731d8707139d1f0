"""A label on a chart is text: whoever writes labelled documents can put no link and no tag on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nightsort.reports import figures
from nightsort_airflow.ui.rendering import as_json
from nightsort_airflow.ui.static_files import PLOTLY, static_file
from tests.ui.browser import new_context

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.ui, pytest.mark.timeout(600)]

LINK = '<a href="https://evil.test/login">Session ended: log in</a>'
# The last two are names that each object of JavaScript has: as keys they look as if they were there.
LABELS = [LINK, "<a href=//x>", "R&D <b>&amp;", "plain", "constructor", "__proto__"]
FIGURES: dict[str, Any] = {
    "label_shares": figures.label_shares(LABELS, [0.3, 0.2, 0.2, 0.1, 0.1, 0.1], {}),
    "confusion_heat_map": figures.confusion_heat_map(LABELS, np.eye(len(LABELS))),
    "documents_per_label": figures.documents_per_label(LABELS, [1, 2, 3, 4, 5, 6], [1] * 6),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_label_on_a_chart_is_shown_as_it_is_and_leads_nowhere(browser: Browser, name: str) -> None:
    page = new_context(browser).new_page()
    page.set_content(
        '<div class="chart" data-figure="figure" style="width: 900px"></div>'
        f'<script type="application/json" id="figure">{as_json(FIGURES[name])}</script>'
    )
    for script in (PLOTLY, "charts.js"):
        page.add_script_tag(path=static_file(script))
    page.wait_for_selector(".xtick text, .ytick text")
    shown = page.eval_on_selector_all(
        ".xtick text, .ytick text", "ticks => ticks.map((tick) => tick.textContent)"
    )
    assert page.query_selector_all("svg a") == []
    assert {*LABELS[1:]} <= {*shown}
    (shortened,) = {text for text in shown if "…" in text}
    assert (shortened[:7], shortened[-4:]) == (LINK[:7], LINK[-4:]), "both ends of a long one"
    page.context.close()
