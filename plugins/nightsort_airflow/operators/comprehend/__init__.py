"""Operators for Comprehend's custom classification, for any DAG."""

from nightsort_airflow.operators.comprehend.classification_job import (
    ComprehendStartDocumentClassificationJobOperator,
)
from nightsort_airflow.operators.comprehend.document_classifier import (
    ComprehendCreateDocumentClassifierOperator,
)

__all__ = ["ComprehendCreateDocumentClassifierOperator", "ComprehendStartDocumentClassificationJobOperator"]
