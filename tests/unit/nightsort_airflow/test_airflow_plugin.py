"""Airflow finds the plugin in the plugins folder, and with it what only a plugin can bring."""

from __future__ import annotations

from airflow.plugins_manager import (
    get_deadline_references_plugins,
    get_import_errors,
    get_operator_extra_links,
)


def test_airflow_knows_the_link_and_the_deadline() -> None:
    assert "Classification Job" in {link.name for link in get_operator_extra_links()}
    assert [name for name in get_deadline_references_plugins() if name.endswith("NightLoadedBy")]
    assert get_import_errors() == {}
