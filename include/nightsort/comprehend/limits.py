"""Every quota, size, pattern and price of Amazon Comprehend custom classification that Nightsort relies on.

Each constant names its source:

* *model*: botocore's service model ``comprehend/2017-11-27`` (the constraint that the API itself publishes);
* *guide*: the Comprehend Developer Guide, https://docs.aws.amazon.com/comprehend/latest/dg/ (page named);
* *quotas*: dumps of the Service Quotas API (the quota code is named); these can be raised for an account;
* *pricing*: https://aws.amazon.com/comprehend/pricing/, us-east-1;
* *choice*: no source states it, the number is ours and errs on the safe side.

Sizes are decimal (1 MB = 1,000,000 bytes): the guide does not say which it means, and the smaller
one is safe.
"""

from __future__ import annotations

import re
from typing import Final, Literal, get_args

Mode = Literal["MULTI_CLASS", "MULTI_LABEL"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
"""Classifier modes (model, DocumentClassifierMode)."""

Language = Literal["en", "es", "de", "it", "fr", "pt"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
"""Languages a plain-text classifier can be trained in (guide, training-classifier-model); the API's enum has
12 values, but the other six serve other features."""

InputFormat = Literal["ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE"]
INPUT_FORMATS: Final[tuple[InputFormat, ...]] = get_args(InputFormat)
"""Input formats of a classification job (model, InputFormat)."""

LABEL_DELIMITERS: Final = " ~!@#$%^*-_+=|\\:;\t>?/"
"""The 21 characters that may join the labels of a cell (model,
DocumentClassifierInputDataConfig.LabelDelimiter)."""

DEFAULT_LABEL_DELIMITER: Final = "|"
"""Comprehend's own default (model)."""

# --- names and patterns -------------------------------------------------------------------------------------

CLASSIFIER_NAME_PATTERN: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
"""Classifier and version names (model, ComprehendArnName): no underscore, no dot, no outer hyphen."""

MAX_CLASSIFIER_NAME: Final = 63
"""Characters of a classifier or version name (model)."""

SPEC_NAME_PATTERN: Final = re.compile(r"[a-z0-9](-?[a-z0-9])*")
"""Names of classifier specs (choice): also good as DAG id, S3 key and part of a job name."""

MAX_SPEC_NAME: Final = 40
"""Characters of a spec's name (choice): leaves room for version, batch and generation in every name built
on it."""

S3_URI_PATTERN: Final = re.compile(r"s3://[a-z0-9][.\-a-z0-9]{1,61}[a-z0-9](/.*)?")
"""An S3 URI as the API accepts it (model, S3Uri)."""

MAX_S3_URI: Final = 1_024
"""Characters of an S3 URI (model, S3Uri)."""

MAX_WORK_URI: Final = 800
"""Characters of a spec's ``work_uri`` (choice): what is appended to it stays below :data:`MAX_S3_URI`."""

ROLE_ARN_PATTERN: Final = re.compile(r"arn:aws(-[^:]+)?:iam::[0-9]{12}:role/.+")
"""An IAM role's ARN (model, IamRoleArn)."""

ROLE_ARN_LENGTH: Final = (20, 2_048)
"""Least and most characters of a role's ARN (model, IamRoleArn)."""

MAX_KMS_KEY_ID: Final = 2_048
"""Characters of a KMS key id (model, KmsKeyId). Volume and model keys: id or key ARN; output key: alias
too."""

VPC_ID_PATTERN: Final = re.compile(r"[-0-9a-zA-Z]+")
"""Security group and subnet ids (model, SecurityGroupId, SubnetId)."""

MAX_VPC_ID: Final = 32
"""Characters of a security group or subnet id (model)."""

MAX_SECURITY_GROUPS: Final = 5
"""Security groups of a VpcConfig (model)."""

MAX_SUBNETS: Final = 16
"""Subnets of a VpcConfig (model)."""

MAX_TAGS: Final = 50
"""Tags of one resource (guide, tagging)."""

MAX_TAG_KEY: Final = 128
"""Characters of a tag's key (model, TagKey)."""

MAX_TAG_VALUE: Final = 256
"""Characters of a tag's value (model, TagValue)."""

MAX_JOB_NAME: Final = 256
"""Characters of a job's name (model, JobName)."""

MAX_CLIENT_REQUEST_TOKEN: Final = 64
"""Characters of a ClientRequestToken, from ``[a-zA-Z0-9-]`` (model, ClientRequestTokenString)."""

MAX_LIST_RESULTS: Final = 500
"""MaxResults of the List calls (model); the default is 100."""

# --- training data ------------------------------------------------------------------------------------------

MAX_LABELS: Final = {"MULTI_CLASS": 1_000, "MULTI_LABEL": 100}
"""Labels of one classifier, by mode (guide, guidelines-and-limits)."""

MIN_LABELS: Final = 2
"""Labels of one classifier (choice: the guide states no minimum; with one label nothing can be learnt)."""

MAX_LABEL_CHARACTERS: Final = 5_000
"""Characters of a label (guide, guidelines-and-limits; model, LabelListItem)."""

MIN_DOCUMENTS_PER_LABEL: Final = 10
"""Training documents of each label (guide, prep-classifier-data). The guide's quota table says 50 for
multi-class: sources disagree, a spec may ask for more (``min_documents_per_label``). Real trainings with one
and three documents of a label did not fail (docs/local-comprehend.md), so only this check stops them."""

RECOMMENDED_DOCUMENTS_PER_LABEL: Final = 50
"""Documents of each label from which the guide expects good models (guide, prep-classifier-data)."""

MIN_MULTI_LABEL_DOCUMENTS: Final = 50
"""Training documents of a multi-label classifier in all (guide, guidelines-and-limits)."""

MAX_TRAINING_DOCUMENTS: Final = 1_000_000
"""Examples of a training file (guide, prep-classifier-data-multi-label and guidelines-and-limits)."""

MAX_TRAINING_BYTES: Final = 5_000_000_000
"""Bytes of the training data in all, 5 GB (guide, guidelines-and-limits)."""

MAX_LABEL_IMBALANCE: Final = 10
"""Largest label : smallest label up to which the guide calls the classes balanced (guide, cer-doc-class)."""

# --- documents and classification jobs ----------------------------------------------------------------------

MAX_DOCUMENT_BYTES: Final = 10_000_000
"""UTF-8 bytes of one document, 10 MB: stated for ONE_DOC_PER_FILE (guide, guidelines-and-limits) and
checked for training documents by AWS's converter script (aws-samples/amazon-comprehend-examples). For
ONE_DOC_PER_LINE no source states a limit, the same one is used."""

MAX_DOCUMENT_ID_BYTES: Final = 1_000
"""UTF-8 bytes of a document's id (choice: a PostgreSQL index entry holds 2,700, an S3 key 1,024)."""

MAX_JOB_DOCUMENTS: Final = 1_000_000
"""Lines or files of one classification job (guide, guidelines-and-limits)."""

MAX_JOB_BYTES: Final = 5_000_000_000
"""Bytes of all input files of one classification job, 5 GB (guide, guidelines-and-limits)."""

MAX_RETURNED_CLASSES: Final = 3
"""Classes or labels that a job returns for a document (seen in every published output)."""

# --- quotas of an account and region ------------------------------------------------------------------------

MAX_ACTIVE_CLASSIFICATION_JOBS: Final = 10
"""Classification jobs active at once (guide, guidelines-and-limits; quotas, L-E65FE76A)."""

POOL: Final = "comprehend_jobs"
"""The Airflow pool whose slots are that quota (choice). Deferred tasks have to count, since their jobs are
active: `airflow pools set comprehend_jobs 10 "Active Comprehend jobs" --include-deferred`."""

MAX_ACTIVE_TRAININGS: Final = 10
"""Classifiers in training at once (quotas, L-94042C4D)."""

START_CALLS_PER_SECOND: Final = 1
"""StartDocumentClassificationJob (quotas, L-5674A323) and CreateDocumentClassifier (quotas, L-243FFDDD)."""

# --- prices, USD --------------------------------------------------------------------------------------------

UNIT_CHARACTERS: Final = 100
"""Characters of one billed unit (pricing)."""

MIN_UNITS: Final = 3
"""Least units billed per request (pricing). That a job's document counts as a request is an assumption, the
dearer one."""

UNIT_USD: Final = 0.0005
"""Price of a unit of asynchronous custom classification (pricing, as published by an AWS architect in
2020; the unit and its minimum were confirmed in 2026)."""

TRAINING_USD_PER_HOUR: Final = 3.00
"""Price of training, billed by the second from TrainingStartTime to TrainingEndTime (pricing)."""

MODEL_USD_PER_MONTH: Final = 0.50
"""Price of keeping one trained version for a month (pricing)."""

# --- endpoints ----------------------------------------------------------------------------------------------

MAX_REAL_TIME_BYTES: Final = 10_000
"""UTF-8 bytes of the text of a ClassifyDocument request, "10 KB" (guide, guidelines-and-limits)."""

MAX_REAL_TIME_FILE_BYTES: Final = 10_000_000
"""Bytes of a PDF, Word file or image in a ClassifyDocument request, 10 MB and one page (guide,
idp-inputs-sync)."""

ENDPOINT_UNIT_DOCUMENTS: Final = 2
"""Documents a second of one inference unit, at most (guide, manage-endpoints-update)."""

ENDPOINT_UNIT_CHARACTERS: Final = 100
"""Characters a second of one inference unit (guide, manage-endpoints-update)."""

ENDPOINT_UNIT_USD: Final = 0.0005
"""Price of an inference unit of an endpoint for a second, used or not (pricing, 2026)."""

MIN_ENDPOINT_SECONDS: Final = 60
"""Seconds that an endpoint is billed at least (pricing, 2026)."""
