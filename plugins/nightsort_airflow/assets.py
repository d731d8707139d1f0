"""
The assets that the DAGs update, for DAGs that run after them.

They are named ``nightsort/<classifier>/<what>``, and their URI is ``x-nightsort://`` and the name. The UI
groups them under ``nightsort`` and shows their description.
"""

from __future__ import annotations

from typing import Final

from airflow.sdk import Asset, AssetAlias

GROUP: Final = "nightsort"


def predictions_asset(name: str) -> Asset:
    """
    Return the asset that a complete run of ``classify_<name>`` updates.

    Its event carries the counts.

    :param name: the classifier.
    """
    return _asset(
        name,
        "predictions",
        f"The predictions of {name} in the table nightsort.predictions. Updated when a run is complete; each "
        "event has the run's day, version and counts.",
    )


def export_asset(name: str) -> Asset:
    """
    Return the asset that is updated when a run's results are exported as Parquet files.

    Its event says where they are.

    :param name: the classifier.
    """
    return _asset(
        name,
        "export",
        f"The results of {name} as Parquet files. Updated when the files of a run are complete; each event "
        "has their place and the day.",
    )


def active_version_asset(name: str) -> Asset:
    """
    Return the asset that is updated when ``train_<name>`` promoted a version.

    Its event names the version.

    :param name: the classifier.
    """
    return _asset(
        name,
        "active-version",
        f"The version of {name} that classifies. Updated when a training's version is promoted; each event "
        "has the version and its metrics.",
    )


def active_version_alias(name: str) -> AssetAlias:
    """
    Return the outlet through which ``train_<name>`` updates :func:`active_version_asset`.

    An asset as outlet gets an event whenever its task succeeds. An alias gets one only when the task adds
    it: after a promotion.

    :param name: the classifier.
    """
    return AssetAlias(name=f"nightsort/{name}/promotion", group=GROUP)


def _asset(name: str, what: str, description: str) -> Asset:
    return Asset(
        name=f"nightsort/{name}/{what}",
        uri=f"x-nightsort://nightsort/{name}/{what}",
        group=GROUP,
        extra={"description": description},
    )
