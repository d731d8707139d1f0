"""A classifier spec's settings as parameters of Comprehend's requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightsort.naming import CLASSIFIER_TAG, batch_job_base

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nightsort.classifier_spec.model import ClassifierSpec


def classifier_parameters(spec: ClassifierSpec) -> dict[str, Any]:
    """
    Return the spec's keys, network and tags as parameters of CreateDocumentClassifier.

    Only what is set is among them. A parameter that changes the model belongs to
    ``ClassifierSpec.training_settings`` too, which makes the version's name.
    """
    model_key = {"ModelKmsKeyId": spec.kms.model_key_id} if spec.kms.model_key_id else {}
    return {**model_key, **job_parameters(spec)}


def job_parameters(spec: ClassifierSpec) -> dict[str, Any]:
    """Return the spec's volume key, network and tags as parameters of StartDocumentClassificationJob."""
    parameters: dict[str, Any] = {}
    if spec.kms.volume_key_id:
        parameters["VolumeKmsKeyId"] = spec.kms.volume_key_id
    if spec.vpc:
        parameters["VpcConfig"] = {
            "SecurityGroupIds": list(spec.vpc.security_group_ids),
            "Subnets": list(spec.vpc.subnets),
        }
    if spec.tags:
        parameters["Tags"] = _tags(spec.tags)
    return parameters


def endpoint_tags(spec: ClassifierSpec) -> list[dict[str, str]]:
    """Return the tags of the spec's endpoint: the spec's, and the one by which it is found again."""
    return _tags({**spec.tags, CLASSIFIER_TAG: spec.name})


def endpoint_parameters(spec: ClassifierSpec) -> dict[str, Any]:
    """Return the spec's tags, and the role where the model is encrypted, as parameters of CreateEndpoint."""
    role = {"DataAccessRoleArn": spec.data_access_role_arn} if spec.kms.model_key_id else {}
    return {**role, "Tags": endpoint_tags(spec)}


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def output_config(spec: ClassifierSpec, prefix: str) -> dict[str, str]:
    """
    Return an OutputDataConfig.

    :param spec: the classifier spec.
    :param prefix: the S3 prefix for the output, ending in ``/``, or a template of it.
    """
    key = {"KmsKeyId": spec.kms.output_key_id} if spec.kms.output_key_id else {}
    return {"S3Uri": prefix, **key}


def batch_job(spec: ClassifierSpec, run: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the argument ``job`` of the operator that runs the job of a batch or a retry.

    :param spec: the classifier spec.
    :param run: the XCom ``run`` of the operator that prepares the batches.
    :param batch: the batch or the retry, as a dict.
    """
    return {
        "job_name": batch_job_base(spec.name, run["version"], batch["name"]),
        "document_classifier_arn": run["arn"],
        "input_data_config": {"S3Uri": batch["input_uri"], "InputFormat": spec.input_format},
        "output_data_config": output_config(spec, spec.layout.run(run["run_key"]).output),
        "input_fingerprint": batch["fingerprint"],
    }


def training_input_config(spec: ClassifierSpec, training_uri: Any, test_uri: Any) -> dict[str, Any]:
    """
    Return the InputDataConfig of a training.

    :param spec: the classifier spec.
    :param training_uri: S3 URI of the training CSV.
    :param test_uri: S3 URI of the test CSV.
    """
    delimiter = {"LabelDelimiter": spec.label_delimiter} if spec.label_delimiter else {}
    return {"DataFormat": "COMPREHEND_CSV", "S3Uri": training_uri, "TestS3Uri": test_uri, **delimiter}
