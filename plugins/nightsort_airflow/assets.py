"""The assets that the DAGs update, for DAGs that shall run after them."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias


def predictions_asset(name: str) -> Asset:
    """
    Return the asset that a complete run of ``classify_<name>`` updates.

    Its event carries the counts.

    :param name: the classifier.
    """
    return Asset(
        name=f"nightsort_{name}_predictions", uri=f"x-nightsort://{name}/predictions", group="nightsort"
    )


def export_asset(name: str) -> Asset:
    """
    Return the asset that is updated when a run's results are exported as Parquet files.

    Its event says where they are.

    :param name: the classifier.
    """
    return Asset(name=f"nightsort_{name}_export", uri=f"x-nightsort://{name}/export", group="nightsort")


def active_version_asset(name: str) -> Asset:
    """
    Return the asset that is updated when ``train_<name>`` promoted a version.

    Its event names the version.

    :param name: the classifier.
    """
    return Asset(
        name=f"nightsort_{name}_active_version", uri=f"x-nightsort://{name}/active-version", group="nightsort"
    )


def active_version_alias(name: str) -> AssetAlias:
    """
    Return the outlet through which ``train_<name>`` updates :func:`active_version_asset`.

    An asset as outlet gets an event whenever its task succeeds. An alias gets one only when the task adds
    it: after a promotion.

    :param name: the classifier.
    """
    return AssetAlias(name=f"nightsort_{name}_promotion", group="nightsort")
