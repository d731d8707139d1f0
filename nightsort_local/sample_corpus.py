"""Two samples of real text from the API documentation inside botocore.

They depend only on the version of botocore:

``aws-services`` (multi-class)
    A document is the description of one operation or one member; its label is the service it belongs to.
``aws-topics`` (multi-label)
    A document is the description of one operation; its labels are what the operation does (``create``,
    ``read``, …, from its name) and the fields that its service belongs to (``compute``, ``security``, …).
    No label comes from the text itself.

Part of each sample is labelled. The rest are the incoming documents of :func:`days`; truth files have their
labels.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import html
import io
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nightsort.storage import Access

BUCKET = "s3://nightsort"
FIRST_DAY = date(2026, 11, 1)
NUMBER_OF_DAYS = 14
LABELLED_SHARE = 0.6
DOCUMENTS_PER_SERVICE = 320
DOCUMENT_CHARACTERS = (50, 5_000)
TOPIC_INCOMING_PER_DAY = 60

SERVICES = (
    "apigateway", "athena", "autoscaling", "backup", "batch", "cloudformation", "cloudfront", "cloudtrail",
    "cloudwatch", "codebuild", "cognito-idp", "comprehend", "dms", "dynamodb", "ec2", "ecr", "ecs", "eks",
    "elasticache", "elbv2", "emr", "events", "glue", "guardduty", "iam", "iot", "kms", "lambda", "rds",
    "redshift", "route53", "s3", "sagemaker", "sesv2", "ssm", "stepfunctions",
)  # fmt: skip

FIELDS_OF_SERVICES = {
    "compute": "autoscaling batch ec2 ecs eks elasticbeanstalk imagebuilder lambda lightsail",
    "storage": "backup datasync ebs efs fsx glacier s3 s3control s3tables storagegateway",
    "database": "dax dms docdb dynamodb elasticache keyspaces memorydb neptune rds redshift",
    "networking": (
        "apigateway cloudfront directconnect elbv2 globalaccelerator network-firewall "
        "networkmanager route53 route53resolver vpc-lattice"
    ),
    "security": (
        "accessanalyzer acm auditmanager cognito-idp guardduty iam inspector2 kms macie2 "
        "network-firewall secretsmanager securityhub wafv2"
    ),
    "analytics": ("athena databrew emr firehose glue kinesis lakeformation opensearch quicksight redshift"),
    "machine-learning": (
        "bedrock comprehend forecast frauddetector kendra lexv2-models personalize polly "
        "rekognition sagemaker textract transcribe translate"
    ),
    "messaging": "connect events firehose kafka kinesis mq pinpoint ses sesv2 sns sqs",
    "developer-tools": (
        "amplify cloudformation codeartifact codebuild codecommit codedeploy codepipeline ecr proton"
    ),
    "management": (
        "appconfig budgets ce cloudformation cloudtrail cloudwatch config logs "
        "organizations servicecatalog ssm"
    ),
    "internet-of-things": "greengrassv2 iot iotfleetwise iotsitewise iotwireless",
}

ACTIONS_OF_VERBS: dict[str, tuple[str, ...]] = {
    "create": ("Add", "Allocate", "Create", "Import", "Put", "Register", "Request"),
    "read": ("BatchGet", "Check", "Describe", "Get", "Search"),
    "list": ("List",),
    "update": ("Attach", "Associate", "Change", "Modify", "Set", "Update"),
    "delete": ("BatchDelete", "Delete", "Deregister", "Detach", "Disassociate", "Remove", "Terminate"),
    "run": ("Cancel", "Execute", "Invoke", "Reboot", "Resume", "Run", "Send", "Start", "Stop", "Test"),
    "tag": ("AddTags", "ListTags", "RemoveTags", "TagResource", "UntagResource"),
}


@dataclass(frozen=True)
class SampleDocument:
    """A description: its id (its place in botocore's models), its text and its known labels."""

    document_id: str
    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """A sample: its documents and its place in the bucket."""

    name: str
    labelled: list[SampleDocument]
    incoming: dict[date, list[SampleDocument]]
    root: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", f"{BUCKET}/{self.name}")


def days() -> list[date]:
    """Return the days on which the samples have incoming documents, in order."""
    return [FIRST_DAY + timedelta(days=number) for number in range(NUMBER_OF_DAYS)]


def truth_uri(name: str, day: date) -> str:
    """Return the URI of the CSV (``id,label``, with a header) that holds one day's known labels."""
    return f"{BUCKET}/{name}/truth/{day.isoformat()}.csv"


def aws_services() -> Sample:
    """Make the multi-class sample: at most 320 descriptions of each of 36 services."""
    documents = []
    services_of_text: defaultdict[str, set[str]] = defaultdict(set)
    for service in SERVICES:
        found = {text: document_id for document_id, text in descriptions(service, members=True)}
        for text in found:
            services_of_text[text].add(service)
        documents += [SampleDocument(document_id, text, (service,)) for text, document_id in found.items()]
    # A text of two services, such as "The token for the next page of results.", has no single right label.
    unique = [document for document in documents if len(services_of_text[document.text]) == 1]
    by_service: defaultdict[str, list[SampleDocument]] = defaultdict(list)
    for document in sorted(unique, key=lambda document: _position(document.document_id)):
        if len(by_service[document.labels[0]]) < DOCUMENTS_PER_SERVICE:
            by_service[document.labels[0]].append(document)
    return _split("aws-services", [document for of_one in by_service.values() for document in of_one])


def aws_topics() -> Sample:
    """Make the multi-label sample: operations, labelled by their action and the fields of their service."""
    fields: defaultdict[str, list[str]] = defaultdict(list)
    for label, services in FIELDS_OF_SERVICES.items():
        for service in services.split():
            fields[service].append(label)
    documents: dict[str, SampleDocument] = {}
    for service in sorted(fields):
        for document_id, text in descriptions(service, members=False):
            action = _action(document_id.partition(".")[2])
            if action is not None:
                documents.setdefault(text, SampleDocument(document_id, text, (action, *fields[service])))
    return _split("aws-topics", list(documents.values()), most_per_day=TOPIC_INCOMING_PER_DAY)


def upload(access: Access, *, progress: Callable[[str], None] | None = None) -> None:
    """
    Write both samples into the bucket of the sample specs.

    :param access: how to reach the bucket; it is created if it does not exist
    :param progress: receives a short text on what is written
    """
    for sample in (aws_services(), aws_topics()):
        upload_sample(access, sample, progress=progress)


def upload_sample(access: Access, sample: Sample, *, progress: Callable[[str], None] | None = None) -> None:
    """Write one sample; the parameters are those of :func:`upload`."""
    if progress is not None:
        progress(
            f"{sample.name}: {len(sample.labelled):,} labelled documents, {NUMBER_OF_DAYS} days of new ones"
        )
    access.path(BUCKET).mkdir(exist_ok=True)
    filesystem = access.path(sample.root).fs
    filesystem.pipe({access.path(uri).path: content for uri, content in _objects(sample).items()})


def _objects(sample: Sample) -> dict[str, bytes]:
    objects = {}
    for day, documents in sample.incoming.items():
        objects[truth_uri(sample.name, day)] = _csv(
            ("id", "label"), ((document.document_id, "|".join(document.labels)) for document in documents)
        )
    if sample.name == "aws-services":
        objects[f"{sample.root}/labelled/documents.csv"] = _csv(
            ("id", "label", "text"), ((d.document_id, d.labels[0], d.text) for d in sample.labelled)
        )
        for day, documents in sample.incoming.items():
            lines = [{"id": d.document_id, "text": d.text} for d in _with_dirt(documents)]
            objects[f"{sample.root}/incoming/{day}/documents.jsonl"] = b"".join(
                orjson.dumps(line) + b"\n" for line in lines
            )
        return objects
    objects[f"{sample.root}/labelled/documents.jsonl"] = b"".join(
        orjson.dumps({"id": d.document_id, "text": d.text, "label": list(d.labels)}) + b"\n"
        for d in sample.labelled
    )
    for day, documents in sample.incoming.items():
        for document in documents:
            objects[f"{sample.root}/incoming/{day}/{document.document_id}"] = document.text.encode()
    return objects


def _with_dirt(documents: list[SampleDocument]) -> list[SampleDocument]:
    """Add cases from real data: line breaks and U+2028 in a text, a blank document, a duplicate id."""
    broken = replace(documents[0], text=documents[0].text.replace(" ", "\r\n\n", 1))
    separated = replace(documents[1], text=documents[1].text.replace(" ", "\u2028", 1))
    blank = SampleDocument(f"{documents[2].document_id}.blank", " \t\n ", ())
    doubled = replace(documents[3], text="The same id has come a second time tonight, with another text.")
    return [broken, separated, *documents[2:], blank, doubled]


def _split(name: str, documents: Iterable[SampleDocument], most_per_day: int | None = None) -> Sample:
    labelled = []
    incoming: dict[date, list[SampleDocument]] = {day: [] for day in days()}
    positions = {document: _position(f"{name}:{document.document_id}") for document in documents}
    for document, position in sorted(positions.items(), key=lambda of_document: of_document[1]):
        if position < LABELLED_SHARE:
            labelled.append(document)
            continue
        number = int((position - LABELLED_SHARE) / (1 - LABELLED_SHARE) * NUMBER_OF_DAYS)
        today = incoming[FIRST_DAY + timedelta(days=number)]
        if most_per_day is None or len(today) < most_per_day:
            today.append(document)
    return Sample(name, labelled, incoming)


def _position(key: str) -> float:
    """Return a number in [0, 1) for a key: evenly distributed, and the same on every machine."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest(), "big") / 2**48


def _action(operation: str) -> str | None:
    if "Tag" in operation:
        return "tag" if operation.startswith(ACTIONS_OF_VERBS["tag"]) else None
    return next((action for action, verbs in ACTIONS_OF_VERBS.items() if operation.startswith(verbs)), None)


def descriptions(service: str, *, members: bool) -> Iterator[tuple[str, str]]:
    """
    Yield the descriptions in a service's model, each with its id.

    :param service: its name in botocore.
    :param members: whether those of members follow the operations'.
    """
    model = _service_model(service)
    described = [(name, operation) for name, operation in model["operations"].items()]
    if members:
        described += [
            (f"{shape}.{member}", description)
            for shape, shape_model in model["shapes"].items()
            for member, description in shape_model.get("members", {}).items()
        ]
    least, most = DOCUMENT_CHARACTERS
    for name, description in described:
        text = _plain(description.get("documentation", ""))
        if least <= len(text) <= most:
            yield f"{service}.{name}", text


def _service_model(service: str) -> dict[str, Any]:
    versions = sorted((Path(botocore.__file__).parent / "data" / service).glob("*/service-2.json.gz"))
    model: dict[str, Any] = orjson.loads(gzip.decompress(versions[-1].read_bytes()))
    return model


_TAG = re.compile(r"<[^>]*>")


def _plain(documentation: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", documentation)).split())


def _csv(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
