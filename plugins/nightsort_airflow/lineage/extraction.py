"""
The methods that Airflow's OpenLineage provider looks for on an operator.

The provider is optional: nothing of it is imported before it calls one of these methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from nightsort_airflow.lineage.datasets import Dataset


class WithLineage:
    """Tell OpenLineage what an operator reads and writes, when its task starts and when it ends."""

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return what is known before the task runs. The provider logs an error, and the task goes on."""
        return extracted(self)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """
        Return what the task read and wrote.

        :param task_instance: Airflow's; not asked, since the provider calls from a fork of the task.
        """
        return extracted(self)


def extracted(operator: Any) -> OperatorLineage[Any, Any]:
    """
    Return the lineage of an operator in the provider's classes.

    :param operator: rendered.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage

    from nightsort_airflow.lineage.of_operators import lineage_of

    lineage = lineage_of(operator)
    return OperatorLineage(
        inputs=[_input(dataset) for dataset in lineage.inputs],
        outputs=[_output(dataset) for dataset in lineage.outputs],
    )


def _input(dataset: Dataset) -> Any:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import base_subset_dataset as subset

    part: dict[str, Any] = {}
    if dataset.place:
        condition = subset.LocationSubsetCondition(locations=[dataset.place])
        part["subset"] = subset.InputSubsetInputDatasetFacet(inputCondition=condition)
    return InputDataset(dataset.namespace, dataset.name, facets=_facets(dataset), inputFacets=part)


def _output(dataset: Dataset) -> Any:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import base_subset_dataset as subset
    from openlineage.client.facet_v2 import column_lineage_dataset as lineage
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    facets = _facets(dataset)
    part: dict[str, Any] = {}
    if dataset.made_of:
        facets["columnLineage"] = lineage.ColumnLineageDatasetFacet(
            fields={
                name: lineage.Fields(
                    inputFields=[
                        lineage.InputField(column.dataset.namespace, column.dataset.name, column.name)
                        for column in columns
                    ]
                )
                for name, columns in dataset.made_of.items()
            }
        )
    if dataset.place:
        condition = subset.LocationSubsetCondition(locations=[dataset.place])
        part["subset"] = subset.OutputSubsetOutputDatasetFacet(outputCondition=condition)
    if dataset.rows is not None:
        part["outputStatistics"] = statistics.OutputStatisticsOutputDatasetFacet(rowCount=dataset.rows)
    return OutputDataset(dataset.namespace, dataset.name, facets=facets, outputFacets=part)


def _facets(dataset: Dataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset as version
    from openlineage.client.facet_v2 import schema_dataset as schema

    facets: dict[str, Any] = {}
    if dataset.fields:
        fields = [schema.SchemaDatasetFacetFields(name=name) for name in dataset.fields]
        facets["schema"] = schema.SchemaDatasetFacet(fields=fields)
    if dataset.version:
        facets["version"] = version.DatasetVersionDatasetFacet(datasetVersion=dataset.version)
    return facets
