"""Operators for Comprehend's custom classification, for any DAG."""

from nightsort_airflow.operators.comprehend.classification_job import (
    ComprehendStartDocumentClassificationJobOperator,
)
from nightsort_airflow.operators.comprehend.document_classifier import (
    ComprehendCreateDocumentClassifierOperator,
)
from nightsort_airflow.operators.comprehend.documents import ComprehendClassifyDocumentsOperator
from nightsort_airflow.operators.comprehend.endpoint_creation import ComprehendCreateEndpointOperator
from nightsort_airflow.operators.comprehend.endpoint_deletion import ComprehendDeleteEndpointOperator
from nightsort_airflow.operators.comprehend.endpoint_update import ComprehendUpdateEndpointOperator

__all__ = [
    "ComprehendClassifyDocumentsOperator",
    "ComprehendCreateDocumentClassifierOperator",
    "ComprehendCreateEndpointOperator",
    "ComprehendDeleteEndpointOperator",
    "ComprehendStartDocumentClassificationJobOperator",
    "ComprehendUpdateEndpointOperator",
]
