"""Looks that cost nothing: wrong requests, names, tokens, tags, lists, and work without input."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from nightsort_local.compare.ledger import CLASSIFIER
from nightsort_local.compare.material import TRAININGS
from nightsort_local.compare.side import NotReachedError

if TYPE_CHECKING:
    from nightsort_local.compare.side import Side

NOTHING: Final = "nothing"
"""A classifier of two versions whose training data does not exist: its trainings fail and cost nothing."""

_NO_ID: Final = "0" * 32


def _nothing(side: Side, what: str = NOTHING, **changes: Any) -> dict[str, Any]:
    """Return a request for a training without data: where it is taken by mistake, nothing is trained."""
    return {
        "DocumentClassifierName": side.name(what),
        "LanguageCode": "en",
        "DataAccessRoleArn": side.place.role,
        "InputDataConfig": {"S3Uri": side.uri("no-such-object")},
        **changes,
    }


def start_nothing(side: Side) -> list[str]:
    """Return the ARNs of two versions without training data; start them if nothing has."""
    return [
        side.start(
            CLASSIFIER,
            side.name(NOTHING),
            "create_document_classifier",
            _nothing(side, VersionName=version),
            version,
        )
        for version in ("v1", "v2")
    ]


def _no_arn(side: Side, kind: str = "document-classifier") -> str:
    account = start_nothing(side)[0].split(":")[4]
    return f"arn:aws:comprehend:{side.region}:{account}:{kind}/{side.name('none')}"


def invalid_requests(side: Side) -> dict[str, Any]:
    """Break constraints of the service model, which boto3 hides."""
    return {
        "no ARN": side.answer("describe_document_classifier"),
        "an ARN of another form": side.answer("describe_document_classifier", DocumentClassifierArn="x"),
        "a name with an underscore": side.answer(
            "create_document_classifier", **_nothing(side, "under_score")
        ),
        "two wrong members": side.answer(
            "create_document_classifier", **_nothing(side, "two_wrong", LanguageCode="xx")
        ),
        "a page of 501": side.answer("list_document_classifiers", MaxResults=501),
        "a page of 0": side.answer("list_document_classifiers", MaxResults=0),
        "a text for a number": side.answer("list_document_classifiers", MaxResults="ten"),
        "a job id of 36 characters": side.answer("describe_document_classification_job", JobId="0" * 36),
        "an unknown state": side.answer("list_document_classifiers", Filter={"Status": "READY"}),
    }


def refusals(side: Side) -> dict[str, Any]:
    """Ask for what the model allows and the service cannot do."""
    manifest = [{"S3Uri": side.uri("no-such-manifest"), "AttributeNames": ["label"]}]
    create = "create_document_classifier"
    return {
        "a language without classifiers": side.answer(create, **_nothing(side, "ja", LanguageCode="ja")),
        "no S3Uri": side.answer(create, **_nothing(side, "no-uri", InputDataConfig={})),
        "a manifest format without manifests": side.answer(
            create,
            **_nothing(side, "no-manifests", InputDataConfig={"DataFormat": "AUGMENTED_MANIFEST"}),
        ),
        "manifests with CSV": side.answer(
            create,
            **_nothing(
                side,
                "both-inputs",
                InputDataConfig={"S3Uri": side.uri("no-such-object"), "AugmentedManifests": manifest},
            ),
        ),
        "a tag twice": side.answer(
            create,
            **_nothing(side, "tag-twice", Tags=[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]),
        ),
        "a tag of AWS": side.answer(
            create, **_nothing(side, "tag-aws", Tags=[{"Key": "aws:a", "Value": "1"}])
        ),
        "51 tags": side.answer(
            create,
            **_nothing(side, "tags-51", Tags=[{"Key": f"k{number}", "Value": ""} for number in range(51)]),
        ),
        "two filters": side.answer(
            "list_document_classifiers",
            Filter={"Status": "TRAINED", "DocumentClassifierName": side.name(NOTHING)},
        ),
        "a token of no list": side.answer("list_document_classifiers", NextToken="nightsort"),
        "a job without a classifier": side.answer(
            "start_document_classification_job", **_job(side, "no-classifier")
        ),
        "a job with an untrained classifier": side.answer(
            "start_document_classification_job",
            **_job(side, "untrained", DocumentClassifierArn=_failed_training(side)),
        ),
    }


def _job(side: Side, what: str, **changes: Any) -> dict[str, Any]:
    return {
        "JobName": side.name(what),
        "InputDataConfig": {"S3Uri": side.uri("no-such-input")},
        "OutputDataConfig": {"S3Uri": side.uri("no-output/")},
        "DataAccessRoleArn": side.place.role,
        **changes,
    }


def _failed_training(side: Side) -> str:
    arn = start_nothing(side)[0]
    side.classifier_at_its_end(f"{NOTHING} v1", arn)
    return arn


def not_found(side: Side) -> dict[str, Any]:
    """Name what does not exist."""
    arn, endpoint = _no_arn(side), _no_arn(side, "document-classifier-endpoint")
    return {
        "a classifier": side.answer("describe_document_classifier", DocumentClassifierArn=arn),
        "a classifier to stop": side.answer("stop_training_document_classifier", DocumentClassifierArn=arn),
        "a classifier to delete": side.answer("delete_document_classifier", DocumentClassifierArn=arn),
        "a job": side.answer("describe_document_classification_job", JobId=_NO_ID),
        "a job's classifier": side.answer(
            "start_document_classification_job", **_job(side, "of-none", DocumentClassifierArn=arn)
        ),
        "an endpoint": side.answer("describe_endpoint", EndpointArn=endpoint),
        "an endpoint that classifies": side.answer("classify_document", EndpointArn=endpoint, Text="a text"),
        "tags": side.answer("list_tags_for_resource", ResourceArn=arn),
    }


def names_taken(side: Side) -> dict[str, Any]:
    """Make a classifier again under a name and version that exist."""
    start_nothing(side)
    return {
        "the same name and version": side.answer(
            "create_document_classifier",
            **_nothing(side, VersionName="v1", ClientRequestToken=side.name("another-token")),
        )
    }


def tokens_of_trainings(side: Side) -> dict[str, Any]:
    """Send the token of a training again, with the same request and with another."""
    arn = side.start_training("classes")
    request = side.training_request(TRAININGS["classes"])
    again = side.answer("create_document_classifier", **request)
    same = side.ledger.made[f"{CLASSIFIER}/{request['DocumentClassifierName']}/v1"].id == arn
    other = _nothing(side, "token", ClientRequestToken=request["ClientRequestToken"])
    return {
        "the same request": {**again, "same classifier": same},
        "another request": side.answer("create_document_classifier", **other),
    }


def training_without_data(side: Side) -> dict[str, Any]:
    """Train on an object that does not exist."""
    found = side.classifier_at_its_end(f"{NOTHING} v1", start_nothing(side)[0])
    return {
        "state": found["Status"],
        "message": found.get("Message", ""),
        "members": sorted(found),
        "stopping it then": side.answer(
            "stop_training_document_classifier", DocumentClassifierArn=found["DocumentClassifierArn"]
        ),
    }


def deletion(side: Side) -> dict[str, Any]:
    """Delete a classifier that waits for its training."""
    name = side.name("deleted")
    request = _nothing(side, "deleted")
    arn = side.start(CLASSIFIER, name, "create_document_classifier", request)
    describe = {"DocumentClassifierArn": arn}
    answer = side.answer("delete_document_classifier", **describe)
    if "answer" in answer:
        found = side.unchecked.describe_document_classifier(**describe)["DocumentClassifierProperties"]
        if "EndTime" in found:
            raise NotReachedError("the training ended before it could be deleted")
    return {"a classifier in training": answer}


def tags(side: Side) -> dict[str, Any]:
    """Add, list and remove tags."""
    arn = start_nothing(side)[0]
    added = side.answer(
        "tag_resource", ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "A", "Value": ""}]
    )
    changed = side.answer("tag_resource", ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}])
    both = _tags(side, arn)
    removed = side.answer("untag_resource", ResourceArn=arn, TagKeys=["A", "never-there"])
    return {
        "adding": added,
        "changing": changed,
        "removing one that is there and one that is not": removed,
        "two keys": both,
        "one key": _tags(side, arn),
    }


def _tags(side: Side, arn: str) -> list[Any]:
    found = side.comprehend.list_tags_for_resource(ResourceArn=arn)["Tags"]
    return sorted(found, key=lambda tag: str(tag["Key"]))


def lists(side: Side) -> dict[str, Any]:
    """List classifiers: order, pages and filters. Of other classifiers in the account nothing is kept."""
    arns = start_nothing(side)
    own = _own(side)
    by_name = {"DocumentClassifierName": side.name(NOTHING)}
    first = side.comprehend.list_document_classifiers(Filter=by_name, MaxResults=1)
    second = side.comprehend.list_document_classifiers(
        Filter=by_name, MaxResults=1, NextToken=first["NextToken"]
    )
    submitted = side.comprehend.describe_document_classifier(DocumentClassifierArn=arns[0])
    since = submitted["DocumentClassifierProperties"]["SubmitTime"] - timedelta(seconds=1)
    return {
        "without a filter": own(side.comprehend.get_paginator("list_document_classifiers").paginate()),
        "filter of a name": own([side.comprehend.list_document_classifiers(Filter=by_name)]),
        "filter of SubmitTimeAfter": own(
            [side.comprehend.list_document_classifiers(Filter={"SubmitTimeAfter": since})]
        ),
        "pages of one": [own([first]), own([second]), "NextToken" in second],
        "members": sorted(first["DocumentClassifierPropertiesList"][0]),
        "a token of another filter": side.answer(
            "list_document_classifiers", MaxResults=1, NextToken=first["NextToken"]
        ),
    }


def _own(side: Side) -> Any:
    """Return a function that keeps the versions of :data:`NOTHING` of pages, in their order."""
    name = side.name(NOTHING)

    def own(pages: Any) -> list[str]:
        return [
            item["VersionName"]
            for page in pages
            for item in page["DocumentClassifierPropertiesList"]
            if f"/{name}/" in item["DocumentClassifierArn"]
        ]

    return own


def summaries(side: Side) -> dict[str, Any]:
    """List the names of classifiers."""
    start_nothing(side)
    side.start(
        CLASSIFIER,
        side.name("later"),
        "create_document_classifier",
        _nothing(side, "later", VersionName="v1"),
        "v1",
    )
    wanted = {side.name(what): what for what in (NOTHING, "later")}
    found, token = [], None
    while True:
        page = side.comprehend.list_document_classifier_summaries(**({"NextToken": token} if token else {}))
        found += page["DocumentClassifierSummariesList"]
        token = page.get("NextToken")
        if token is None:
            break
    own = [item for item in found if item["DocumentClassifierName"] in wanted]
    return {
        "order": [wanted[item["DocumentClassifierName"]] for item in own],
        "members": sorted({member for item in own for member in item}),
        "versions": {
            wanted[item["DocumentClassifierName"]]: [item["NumberOfVersions"], item.get("LatestVersionName")]
            for item in own
        },
    }
