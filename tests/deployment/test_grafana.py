"""The dashboard and the alert rules ask for metrics that are sent, and for each of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "deployment" / "grafana"
PAGE = (REPOSITORY / "docs" / "monitoring.md").read_text(encoding="utf-8")
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
(GROUP,) = yaml.safe_load((FOLDER / "alert-rules.yaml").read_text(encoding="utf-8"))["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
(MAPPING,) = yaml.safe_load((FOLDER / "statsd-mapping.yaml").read_text(encoding="utf-8"))["mappings"]
SENT = {
    f"airflow_{name}".replace(".", "_")
    for name in re.findall(r"^\| `(nightsort\.night\.\w+)` \|", PAGE, re.MULTILINE)
}

each_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def asked(expression: str) -> set[str]:
    return set(re.findall(r"\b[a-z]+_nightsort_\w+", expression))


@each_panel
def test_a_panel_asks_for_what_is_sent_and_has_a_unit(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert asked(target["expr"])
        assert asked(target["expr"]) <= SENT
        # Every metric of it is that of the chosen classifiers.
        assert target["expr"].count('{classifier=~"$classifier"}') == target["expr"].count("airflow_")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["description"]


def test_each_figure_has_a_panel() -> None:
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    assert set().union(*map(asked, expressions)) == SENT


def test_panels_do_not_lie_on_each_other() -> None:
    cells = [
        (x, y)
        for panel in PANELS
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_the_dashboard_finds_classifiers_and_its_data_source_by_itself() -> None:
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables.keys() == {"datasource", "classifier"}
    assert asked(variables["classifier"]["definition"]) <= SENT
    sources = {panel["datasource"]["uid"] for panel in PANELS}
    assert sources == {"${datasource}"}


@each_rule
def test_a_rule_asks_for_what_is_sent_and_names_the_classifier(rule: dict[str, Any]) -> None:
    assert asked(rule["expr"])
    assert asked(rule["expr"]) <= SENT
    assert "{{ $labels.classifier }}" in rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    assert rule["labels"]["severity"] in {"critical", "warning"}


def test_the_page_lists_the_rules() -> None:
    assert re.findall(r"^\| `(Nightsort\w+)` \|", PAGE, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_the_mapping_makes_the_names_of_the_dashboard() -> None:
    """A star is a part of the name without a dot, as statsd_exporter has it."""
    pattern = re.compile(MAPPING["match"].replace(".", r"\.").replace("*", r"([^.]*)"))
    made = set()
    for name in SENT:
        figure = name.removeprefix("airflow_nightsort_night_")
        found = pattern.fullmatch(f"airflow.nightsort.night.{figure}.aws-services")
        assert found is not None
        made.add(MAPPING["name"].replace("$1", found[1]))
        assert MAPPING["labels"] == {"classifier": "$2"}
        assert found[2] == "aws-services"
    assert made == SENT
