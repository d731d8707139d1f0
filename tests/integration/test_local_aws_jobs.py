"""Classification jobs of the local Comprehend read and write as the real ones do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sklearn.metrics import f1_score

from tests.integration.classification_data import (
    LABELS,
    archive_members,
    create_request,
    csv_bytes,
    labelled_rows,
    multi_label_rows,
    predictions,
    put,
    text_of,
    trained_classifier,
)
from tests.integration.comprehend_answers import check_answers
from tests.integration.local_aws_server import (
    ROLE,
    LocalAwsServer,
    local_aws,
    wait_for_classifier,
    wait_for_job,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def classifier(aws: LocalAwsServer, comprehend: Any) -> str:
    return trained_classifier(aws, comprehend, "jobs")


@pytest.fixture(scope="module")
def document(aws: LocalAwsServer) -> str:
    """A file with one document."""
    return put(aws, "one/document.txt", b"a refund of my payment\n")


def job_request(classifier: str, uri: str, **changes: Any) -> dict[str, Any]:
    source = {"S3Uri": uri, **changes.pop("source", {})}
    return {
        "DocumentClassifierArn": classifier,
        "InputDataConfig": source,
        "OutputDataConfig": {"S3Uri": "s3://data/output/jobs/"},
        "DataAccessRoleArn": ROLE,
        **changes,
    }


def finished(comprehend: Any, classifier: str, uri: str, **changes: Any) -> dict[str, Any]:
    """Run a job to whatever end; return what Describe then says."""
    started = comprehend.start_document_classification_job(**job_request(classifier, uri, **changes))
    return wait_for_job(comprehend, started["JobId"])


def refusal(call: Any, **request: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


class TestJob:
    def test_a_job_from_start_to_end(self, comprehend: Any, classifier: str, document: str) -> None:
        started = comprehend.start_document_classification_job(
            **job_request(classifier, document, JobName="night 1")
        )
        job_id = started["JobId"]
        assert re.fullmatch("[0-9a-f]{32}", job_id)
        assert started["JobArn"].endswith(f":document-classification-job/{job_id}")
        assert started["JobStatus"] == "SUBMITTED"

        described = comprehend.describe_document_classification_job(JobId=job_id)
        output = described["DocumentClassificationJobProperties"]["OutputDataConfig"]["S3Uri"]
        assert output == f"s3://data/output/jobs/123456789012-CLN-{job_id}/output/output.tar.gz"

        job = wait_for_job(comprehend, job_id)
        assert job["JobStatus"] == "COMPLETED"
        assert job["OutputDataConfig"]["S3Uri"] == output
        assert job["InputDataConfig"] == {"S3Uri": document, "InputFormat": "ONE_DOC_PER_LINE"}
        assert (job["JobName"], job["DataAccessRoleArn"]) == ("night 1", ROLE)
        assert job["EndTime"] >= job["SubmitTime"]

    def test_what_was_asked_is_what_describe_shows(
        self, comprehend: Any, classifier: str, document: str
    ) -> None:
        members = {
            "VolumeKmsKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab",
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        }
        job = finished(comprehend, classifier, document, **members)
        assert {name: job[name] for name in members} == members
        assert "JobName" not in job

    def test_a_jobs_tags(self, comprehend: Any, classifier: str, document: str) -> None:
        tags = [{"Key": "team", "Value": "a"}]
        started = comprehend.start_document_classification_job(**job_request(classifier, document, Tags=tags))
        assert comprehend.list_tags_for_resource(ResourceArn=started["JobArn"])["Tags"] == tags


class TestPredictions:
    def test_every_line_gets_its_class(self, aws: LocalAwsServer, comprehend: Any, classifier: str) -> None:
        rows = labelled_rows(50, first=700)
        uri = put(aws, "lines/all.txt", "".join(f"{text}\n" for _, text in rows).encode())
        lines = predictions(aws, finished(comprehend, classifier, uri))
        assert [list(line) for line in lines] == [["File", "Line", "Classes"]] * len(rows)
        assert [line["Line"] for line in lines] == [str(number) for number in range(len(rows))]
        assert {line["File"] for line in lines} == {"all.txt"}
        right = [line["Classes"][0]["Name"] == label for line, (label, _) in zip(lines, rows, strict=True)]
        assert sum(right) / len(right) > 0.95
        for line in lines:
            scores = [found["Score"] for found in line["Classes"]]
            assert len(scores) == 3
            assert scores == sorted(scores, reverse=True) == [round(score, 4) for score in scores]
            assert sum(scores) <= 1.0002

    def test_multi_label_metrics_can_be_counted_again(self, aws: LocalAwsServer, comprehend: Any) -> None:
        rows = [(labels, " ".join(text.split()[:5])) for labels, text in multi_label_rows(300)]
        training = put(aws, "multi/training.csv", csv_bytes(rows[:240]))
        test = put(aws, "multi/test.csv", csv_bytes(rows[240:]))
        source = {"S3Uri": training, "TestS3Uri": test}
        request = create_request("recount", training, Mode="MULTI_LABEL", InputDataConfig=source)
        arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
        reported = wait_for_classifier(comprehend, arn)["ClassifierMetadata"]["EvaluationMetrics"]

        uri = put(aws, "multi/test.txt", "".join(f"{text}\n" for _, text in rows[240:]).encode())
        lines = predictions(aws, finished(comprehend, arn, uri))
        assert list(lines[0]) == ["File", "Line", "Labels"]
        decided = [{found["Name"] for found in line["Labels"] if found["Score"] >= 0.5} for line in lines]
        actual = [set(labels.split("|")) for labels, _ in rows[240:]]
        table = [[[label in labels for label in LABELS] for labels in side] for side in (actual, decided)]
        assert round(f1_score(*table, average="macro", zero_division=0), 4) == reported["F1Score"]
        assert round(f1_score(*table, average="micro"), 4) == reported["MicroF1Score"]
        exact = sum(a == d for a, d in zip(actual, decided, strict=True)) / len(actual)
        assert round(exact, 4) == reported["Accuracy"]

    def test_two_classes_give_two(self, aws: LocalAwsServer, comprehend: Any, document: str) -> None:
        uri = put(aws, "two/training.csv", csv_bytes(labelled_rows(20, labels=LABELS[:2])))
        arn = comprehend.create_document_classifier(**create_request("two", uri))["DocumentClassifierArn"]
        wait_for_classifier(comprehend, arn)
        (line,) = predictions(aws, finished(comprehend, arn, document))
        assert [found["Name"] for found in line["Classes"]] == ["BILLING", "BUG"]

    def test_a_file_can_be_a_document(self, aws: LocalAwsServer, comprehend: Any, classifier: str) -> None:
        for label in LABELS:
            put(aws, f"files/{label}.txt", f"{text_of(label, 1)}\r\n{text_of(label, 2)}\n".encode())
        put(aws, "files/", b"")
        job = finished(comprehend, classifier, "s3://data/files/", source={"InputFormat": "ONE_DOC_PER_FILE"})
        lines = predictions(aws, job)
        assert [list(line) for line in lines] == [["File", "Line", "Classes"]] * 4
        # Every line that was read of MacHu-GWU/Dev-Exp-Share, predictions.json (2022), has "0".
        assert {line["Line"] for line in lines} == {"0"}
        assert {line["File"]: line["Classes"][0]["Name"] for line in lines} == {
            f"{label}.txt": label for label in LABELS
        }


class TestInput:
    def test_the_key_is_a_prefix_and_files_count_for_themselves(
        self, aws: LocalAwsServer, comprehend: Any, classifier: str
    ) -> None:
        uri = put(aws, "prefix/day1", b"invoice\nrefund\n")
        put(aws, "prefix/day10.txt", b"crash\n")
        put(aws, "prefix/day1/deep/below.txt", b"hotel\nflight")
        put(aws, "prefix/day2.txt", b"never read\n")
        found = [
            (line["File"], line["Line"]) for line in predictions(aws, finished(comprehend, classifier, uri))
        ]
        assert sorted(found) == [
            ("below.txt", "0"), ("below.txt", "1"), ("day1", "0"), ("day1", "1"), ("day10.txt", "0"),
        ]  # fmt: skip
        by_key = ["day1", "below.txt", "day10.txt"]
        assert list(dict.fromkeys(file for file, _ in found)) != by_key, "files have an order of their own"

    def test_a_line_ends_with_cr_lf_or_both_and_with_nothing_else(
        self, aws: LocalAwsServer, comprehend: Any, classifier: str
    ) -> None:
        body = "one\rtwo\r\nthree\nfour\u2028still four\u0085\x0b\x1c\n\nsix".encode()
        lines = predictions(aws, finished(comprehend, classifier, put(aws, "ends/ends.txt", body)))
        assert [line["Line"] for line in lines] == ["0", "1", "2", "3", "4", "5"]

    def test_quotes_and_commas_are_text(self, aws: LocalAwsServer, comprehend: Any, classifier: str) -> None:
        uri = put(aws, "quotes/in.csv", b'"refund, of my payment"\n"it says ""crash"""\n')
        lines = predictions(aws, finished(comprehend, classifier, uri))
        assert [line["Classes"][0]["Name"] for line in lines] == ["BILLING", "BUG"]

    def test_what_is_not_utf8_ends_its_file_with_an_error(
        self, aws: LocalAwsServer, comprehend: Any, classifier: str
    ) -> None:
        uri = put(aws, "encoding/a.txt", b"invoice\ncaf\xe9\nrefund\n")
        put(aws, "encoding/b.txt", b"crash\n")
        job = finished(comprehend, classifier, "s3://data/encoding/")
        assert uri.startswith("s3://data/encoding/")
        assert job["JobStatus"] == "COMPLETED"
        other, first, error = predictions(aws, job)
        assert (first["Line"], other["File"]) == ("0", "b.txt")
        assert (error["File"], error["Line"], error["ErrorCode"]) == ("a.txt", 1, "UNSUPPORTED_ENCODING")

    def test_a_document_over_the_limit_is_an_error_line(
        self, aws: LocalAwsServer, comprehend: Any, classifier: str
    ) -> None:
        uri = put(aws, "large/in.txt", b"x" * 10_000_001 + b"\ninvoice\n")
        error, good = predictions(aws, finished(comprehend, classifier, uri))
        assert (error["Line"], error["ErrorCode"]) == (0, "DOCUMENT_SIZE_EXCEEDED")
        assert (good["Line"], good["Classes"][0]["Name"]) == ("1", "BILLING")

    def test_an_empty_file_gives_an_empty_output(
        self, aws: LocalAwsServer, comprehend: Any, classifier: str
    ) -> None:
        job = finished(comprehend, classifier, put(aws, "empty/in.txt", b""))
        assert job["JobStatus"] == "COMPLETED"
        assert predictions(aws, job) == []


class TestFailures:
    @pytest.mark.parametrize("uri", ["s3://data/nothing-here/", "s3://no-such-bucket/in"])
    def test_input_that_cannot_be_read(self, comprehend: Any, classifier: str, uri: str) -> None:
        job = finished(comprehend, classifier, uri)
        assert job["JobStatus"] == "FAILED"
        assert job["Message"].startswith("NO_READ_ACCESS_TO_INPUT: ")
        assert job["EndTime"] >= job["SubmitTime"]
        assert job["OutputDataConfig"]["S3Uri"].endswith("/output/output.tar.gz")

    def test_output_that_cannot_be_written(self, comprehend: Any, classifier: str, document: str) -> None:
        job = finished(comprehend, classifier, document, OutputDataConfig={"S3Uri": "s3://no-such-bucket/o"})
        assert job["JobStatus"] == "FAILED"
        assert job["Message"].startswith("NO_WRITE_ACCESS_TO_OUTPUT: ")


class TestRefusals:
    def test_a_classifier_that_is_not_there(self, comprehend: Any, classifier: str, document: str) -> None:
        call = comprehend.start_document_classification_job
        answer = refusal(call, **job_request(f"{classifier}/version/none", document))
        assert answer == ("ResourceNotFoundException", 404)

    def test_a_classifier_that_has_not_learnt(self, comprehend: Any, document: str) -> None:
        request = create_request("never", "s3://data/nothing-here")
        arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
        wait_for_classifier(comprehend, arn)
        answer = refusal(comprehend.start_document_classification_job, **job_request(arn, document))
        assert answer == ("ResourceUnavailableException", 404)

    def test_a_classifier_or_a_flywheel(self, comprehend: Any, classifier: str, document: str) -> None:
        call = comprehend.start_document_classification_job
        flywheel = "arn:aws:comprehend:us-east-1:123456789012:flywheel/f"
        neither = job_request(classifier, document)
        del neither["DocumentClassifierArn"]
        assert refusal(call, **neither) == ("InvalidRequestException", 400)
        both = job_request(classifier, document, FlywheelArn=flywheel)
        assert refusal(call, **both) == ("InvalidRequestException", 400)
        assert refusal(call, **neither, FlywheelArn=flywheel) == ("ResourceNotFoundException", 404)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"JobName": "a#b"}, "ValidationException"),
            ({"JobName": "n" * 257}, "ValidationException"),
            ({"source": {"InputFormat": "ONE_DOC_PER_PAGE"}}, "ValidationException"),
            ({"VolumeKmsKeyId": "my-key"}, "KmsKeyValidationException"),
            ({"Tags": [{"Key": str(n), "Value": ""} for n in range(51)]}, "TooManyTagsException"),
        ],
    )
    def test_requests_that_cannot_be(
        self, comprehend: Any, classifier: str, document: str, change: dict[str, Any], code: str
    ) -> None:
        call = comprehend.start_document_classification_job
        assert refusal(call, **job_request(classifier, document, **change)) == (code, 400)

    def test_a_job_that_is_not_there(self, comprehend: Any) -> None:
        answer = refusal(comprehend.describe_document_classification_job, JobId="0" * 32)
        assert answer == ("JobNotFoundException", 404)


class TestTokens:
    def test_a_retry_finds_the_job_that_it_started(
        self, comprehend: Any, classifier: str, document: str
    ) -> None:
        request = job_request(classifier, document, JobName="once", ClientRequestToken="job-1")
        ids = {comprehend.start_document_classification_job(**request)["JobId"] for _ in range(3)}
        assert len(ids) == 1
        wait_for_job(comprehend, ids.pop())
        assert comprehend.start_document_classification_job(**request)["JobStatus"] == "COMPLETED"
        listed = comprehend.list_document_classification_jobs(Filter={"JobName": "once"})
        assert len(listed["DocumentClassificationJobPropertiesList"]) == 1

    def test_another_request_under_the_same_token_is_refused(
        self, comprehend: Any, classifier: str, document: str
    ) -> None:
        call = comprehend.start_document_classification_job
        call(**job_request(classifier, document, JobName="a", ClientRequestToken="job-2"))
        again = job_request(classifier, document, JobName="b", ClientRequestToken="job-2")
        assert refusal(call, **again) == ("InvalidRequestException", 400)


class TestLists:
    def test_jobs_of_one_name_come_in_pages(self, comprehend: Any, classifier: str, document: str) -> None:
        jobs = [finished(comprehend, classifier, document, JobName="paged") for _ in range(3)]
        ids = [job["JobId"] for job in jobs]
        pages = comprehend.get_paginator("list_document_classification_jobs").paginate(
            Filter={"JobName": "paged"}, PaginationConfig={"PageSize": 2}
        )
        found = [[job["JobId"] for job in page["DocumentClassificationJobPropertiesList"]] for page in pages]
        assert found == [ids[:2], ids[2:]]

        listed = comprehend.list_document_classification_jobs(Filter={"JobName": "paged"})
        assert listed["DocumentClassificationJobPropertiesList"] == jobs
        before = comprehend.list_document_classification_jobs(
            Filter={"SubmitTimeBefore": jobs[1]["SubmitTime"]}, MaxResults=500
        )["DocumentClassificationJobPropertiesList"]
        assert before[-1]["JobId"] == jobs[0]["JobId"], "the oldest come first"

    def test_one_filter_member_at_a_time(self, comprehend: Any) -> None:
        both = {"JobName": "paged", "JobStatus": "COMPLETED"}
        answer = refusal(comprehend.list_document_classification_jobs, Filter=both)
        assert answer == ("InvalidFilterException", 400)


def test_ten_jobs_may_be_active_and_keep_their_classifier() -> None:
    with local_aws() as aws:
        comprehend = check_answers(aws.client("comprehend"))
        classifier = trained_classifier(aws, comprehend, "busy")
        uri = put(aws, "busy/in.txt", b"a refund of my payment\n" * 100_000)
        start = comprehend.start_document_classification_job
        aws.control.inject("stuck", resource="job", times=None)
        small = put(aws, "small/in.txt", b"a refund of my payment\n")
        ids = [start(**job_request(classifier, source))["JobId"] for source in [uri, *[small] * 9]]
        assert refusal(start, **job_request(classifier, small)) == ("TooManyRequestsException", 429)
        states = comprehend.list_document_classification_jobs()["DocumentClassificationJobPropertiesList"]
        assert {job["JobStatus"] for job in states} <= {"SUBMITTED", "IN_PROGRESS"}
        answer = refusal(comprehend.delete_document_classifier, DocumentClassifierArn=classifier)
        assert answer == ("ResourceInUseException", 400)
        aws.control.clear()
        first, *others = [wait_for_job(comprehend, job_id) for job_id in ids]
        assert {job["JobStatus"] for job in others} == {"COMPLETED"}
        members = archive_members(aws, first["OutputDataConfig"]["S3Uri"])
        lines = members["predictions.jsonl"].splitlines()
        assert len(lines) == 100_000
        assert json.loads(lines[-1])["Line"] == "99999"
        comprehend.delete_document_classifier(DocumentClassifierArn=classifier)
