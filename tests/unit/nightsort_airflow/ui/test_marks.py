from __future__ import annotations

import re
from xml.etree import ElementTree

from nightsort_airflow.ui import marks


def drawn(svg: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(svg).findall("rect")  # noqa: S314 - our own


def test_the_newest_night_is_at_the_right_and_the_highest_bar_fills_the_height() -> None:
    bars = drawn(marks.night_bars([marks.Bar(5, "good", "a"), marks.Bar(10, "bad", "b & <c>")], 30, "label"))
    assert float(bars[0].attrib["x"]) < float(bars[1].attrib["x"])
    assert float(bars[1].attrib["height"]) == 2 * float(bars[0].attrib["height"]) == 28
    assert bars[1].find("title").text == "b & <c>"  # type: ignore[union-attr]


def test_three_documents_of_a_million_are_still_seen() -> None:
    rects = drawn(marks.sums_bar(999_997, 3, 0, 1_000_000))
    assert [rect.attrib["class"] for rect in rects] == ["good", "bad"]
    assert float(rects[1].attrib["width"]) == 1.0
    assert all(float(rect.attrib["x"]) + float(rect.attrib["width"]) <= 100.01 for rect in rects[1:])


def test_what_is_above_a_limit_is_red_and_no_limit_is_no_error() -> None:
    assert 'class="bad"' in marks.meter(11, 10, "x")
    assert 'class="warn"' in marks.meter(9, 10, "x")
    assert 'class="good"' in marks.meter(1, 10, "x")
    assert marks.meter(1, 0, "x")


def test_no_mark_is_wider_than_its_place() -> None:
    widths = re.findall(r'width="([\d.]+)"', marks.part_bar(1.7) + marks.part_bar(-1))
    assert [float(width) for width in widths] == [100.0, 0.0]
