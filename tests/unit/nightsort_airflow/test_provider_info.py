from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points, version

from airflow.providers_manager import ProvidersManager

from nightsort_airflow.provider_info import get_provider_info


def test_airflow_lists_the_installed_package_among_its_providers() -> None:
    provider = ProvidersManager().providers["nightsort"]  # type: ignore[no-untyped-call]
    assert provider.version == version("nightsort")
    assert provider.data["name"] == "Nightsort"


def test_each_link_is_registered_once() -> None:
    links = get_provider_info()["extra-links"]
    registered = ProvidersManager().extra_links_class_names  # type: ignore[no-untyped-call]
    assert [link for link in registered if link in links] == links
    for link in links:
        module, _, name = link.rpartition(".")
        assert hasattr(import_module(module), name)


def test_the_plugin_and_the_metadata_are_entry_points_of_the_package() -> None:
    (plugin,) = [entry for entry in entry_points(group="airflow.plugins") if entry.name == "nightsort"]
    assert plugin.load().name == "nightsort"
    metadata = [entry.value for entry in entry_points(group="apache_airflow_provider")]
    assert metadata.count("nightsort_airflow.provider_info:get_provider_info") == 1
