"""What `airflow providers list` shows of Nightsort where the wheel is installed."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the metadata that Airflow's providers manager reads; the version is the wheel's."""
    return {
        "package-name": "nightsort",
        "name": "Nightsort",
        "description": "Train Amazon Comprehend classifiers, and classify every night's documents.",
        "extra-links": [
            "nightsort_airflow.links.comprehend.ComprehendClassificationJobLink",
            "nightsort_airflow.links.comprehend.ComprehendClassifierVersionLink",
            "nightsort_airflow.links.comprehend.ComprehendEndpointLink",
            "nightsort_airflow.links.comprehend.JobOutputLink",
            "nightsort_airflow.links.comprehend.TrainingDataLink",
        ],
    }
