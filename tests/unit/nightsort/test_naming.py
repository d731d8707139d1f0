from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nightsort.comprehend.limits import (
    CLASSIFIER_NAME_PATTERN,
    MAX_JOB_NAME,
    MAX_SPEC_NAME,
    SPEC_NAME_PATTERN,
)
from nightsort.export_names import export_file, export_partition, run_of_export_file
from nightsort.layout import (
    PLAN_FILE,
    REJECTS_FILE,
    REPORT_FILE,
    TEST_DOCUMENTS,
    TEST_FILE,
    TRAINING_FILE,
    WorkLayout,
    batch_file,
    document_file,
)
from nightsort.naming import (
    CLASSIFIER_TAG,
    ENDPOINT_PREFIX,
    MAX_ENDPOINT_NAME,
    REJECTS,
    BatchName,
    JobName,
    RetryName,
    VersionName,
    batch_job_base,
    endpoint_arn,
    endpoint_name,
    is_night,
    run_day,
    run_key,
    score_job_base,
    version_of,
)

DAY = date(2026, 11, 18)
HASH = "0123456789abcdef" * 4

days = st.dates(min_value=date(1000, 1, 1))
hashes = st.text("0123456789abcdef", min_size=32, max_size=32) | st.text(
    "0123456789", min_size=32, max_size=32
)
run_keys = st.builds(run_key, days, st.none() | st.text(st.characters(exclude_categories=["Cs"])))
numbers = st.integers(0, 999_999)
generations = st.integers(1, 1_000)
batch_names = st.builds(BatchName.of, run_keys, numbers, hashes)
version_names = st.builds(VersionName, hashes.map(lambda value: VersionName.of(value).base), generations)
classifiers = st.from_regex(SPEC_NAME_PATTERN, fullmatch=True).filter(lambda name: len(name) <= MAX_SPEC_NAME)
classifiers |= st.sampled_from(
    ["a", "tickets-2026", "tickets-g2", "v0123456789ab", "20261118-00000-0123abcd", "20261118-01234567"]
)


class TestThePromisedNames:
    """Literal: a name that is made in another way finds no earlier work, which is then paid for again."""

    def test_of_runs(self) -> None:
        assert run_key(DAY, None) == "20261118"
        assert run_key(DAY, "s3://bucket/by-hand/*.csv") == "20261118-cd4be057"
        assert is_night(run_key(DAY, None))
        assert not is_night(run_key(DAY, "s3://bucket/by-hand/*.csv"))

    def test_of_endpoints(self) -> None:
        assert endpoint_name("tickets") == "nightsort-tickets"
        assert endpoint_name("a" * 40) == f"nightsort-{'a' * 21}-e33cdf9c"
        assert CLASSIFIER_TAG == "nightsort:classifier"
        assert (
            endpoint_arn(
                "arn:aws-cn:comprehend:cn-north-1:123456789012:document-classifier/t/version/v1",
                "nightsort-t",
            )
            == "arn:aws-cn:comprehend:cn-north-1:123456789012:document-classifier-endpoint/nightsort-t"
        )

    def test_of_batches(self) -> None:
        assert str(BatchName.of("20261118", 0, HASH)) == "20261118-00000-01234567"
        assert str(BatchName.of("20261118-cd4be057", 123_456, HASH)) == "20261118-cd4be057-123456-01234567"
        assert batch_file("20261118-00000-01234567") == "20261118-00000-01234567.txt"

    def test_of_documents_that_are_sent_again(self) -> None:
        assert str(RetryName.of("20261118-00000-01234567", 2, HASH)) == "20261118-00000-01234567-r2-01234567"
        assert RetryName.start("20261118-00000-01234567", 2) == "20261118-00000-01234567-r2-"

    def test_of_jobs(self) -> None:
        base = batch_job_base("tickets", "v0123456789ab-g2", "20261118-00000-01234567")
        assert base == "tickets-v0123456789ab-g2-20261118-00000-01234567"
        assert str(JobName(base)) == "tickets-v0123456789ab-g2-20261118-00000-01234567-g1"
        assert str(JobName("night", 12)) == "night-g12"
        assert score_job_base("tickets", "v0123456789ab", HASH) == "tickets-v0123456789ab-score-0123456789ab"

    def test_of_versions(self) -> None:
        first = VersionName.of(HASH)
        assert str(first) == "v0123456789ab"
        assert str(VersionName(first.base, 2)) == "v0123456789ab-g2"

    @pytest.mark.parametrize(
        ("document_id", "name"),
        [
            ("ticket-1.txt", "ticket-1.txt"),
            ("a" * 200, "a" * 200),
            ("../up", "_8c722b8ae2c9de45ac85aeea414c5d8c604d2ace"),
        ],
    )
    def test_of_documents_files(self, document_id: str, name: str) -> None:
        assert document_file(document_id) == name

    @pytest.mark.parametrize("work_uri", ["s3://bucket/work", "s3://bucket/work/"])
    def test_of_what_lies_below_work_uri(self, work_uri: str) -> None:
        layout = WorkLayout(work_uri)
        assert layout.trainings == "s3://bucket/work/training/"
        assert layout.failed_training.uri == "s3://bucket/work/training/failed"
        training = layout.training("v0123456789ab")
        files = (TRAINING_FILE, TEST_FILE, TEST_DOCUMENTS, REJECTS_FILE, REPORT_FILE)
        assert [training.file(file) for file in files] == [
            "s3://bucket/work/training/v0123456789ab/training.csv",
            "s3://bucket/work/training/v0123456789ab/test.csv",
            "s3://bucket/work/training/v0123456789ab/test.txt",
            "s3://bucket/work/training/v0123456789ab/rejects.jsonl",
            "s3://bucket/work/training/v0123456789ab/report.json",
        ]
        assert training.output == "s3://bucket/work/training/v0123456789ab/output/"
        assert training.scores == "s3://bucket/work/training/v0123456789ab/scores/"
        run, batch = layout.run("20261118"), "20261118-00000-01234567"
        assert run.file(PLAN_FILE) == "s3://bucket/work/runs/20261118/batches.json"
        assert run.file(REJECTS_FILE) == "s3://bucket/work/runs/20261118/rejects.jsonl"
        assert run.input(batch, per_file=False) == f"s3://bucket/work/runs/20261118/input/{batch}.txt"
        assert run.input(batch, per_file=True) == f"s3://bucket/work/runs/20261118/input/{batch}/"
        assert run.manifest(batch) == f"s3://bucket/work/runs/20261118/manifests/{batch}.parquet"
        assert run.output == "s3://bucket/work/runs/20261118/output/"
        assert layout.exports == "s3://bucket/work/predictions"

    def test_of_exported_files(self) -> None:
        partition = "s3://bucket/out/classifier=tickets/day=2026-11-18/"
        assert export_partition("s3://bucket/out", "tickets", "20261118") == partition
        assert export_partition("s3://bucket/out/", "tickets", "20261118-cd4be057") == partition
        assert export_file("20261118", "20261118-00000-01234567") == "20261118-00000-01234567.parquet"
        assert export_file("20261118", REJECTS) == "20261118-rejects.parquet"

    def test_a_local_folder_is_laid_out_alike(self) -> None:
        assert WorkLayout("/").run("20261118").uri == "/runs/20261118"
        assert WorkLayout("/").training("v1").uri == "/training/v1"
        assert WorkLayout("/data/work").run("20261118").uri == "/data/work/runs/20261118"


class TestWhatWasMadeIsParsedBack:
    @given(days, st.none() | st.text(st.characters(exclude_categories=["Cs"])))
    def test_the_day_of_a_run(self, day: date, source_uri: str | None) -> None:
        assert run_day(run_key(day, source_uri)) == day

    @given(batch_names)
    def test_batch_names(self, name: BatchName) -> None:
        assert BatchName.parse(str(name)) == name

    @given(version_names)
    def test_version_names(self, name: VersionName) -> None:
        assert VersionName.parse(str(name)) == name

    @given(st.text(min_size=1), generations)
    @example("night-g2", 1)
    @example("night-g2", 3)
    def test_job_names(self, base: str, generation: int) -> None:
        name = JobName(base, generation)
        assert JobName.parse(str(name)) == name
        assert [str(before) for before in name.earlier()] == [f"{base}-g{n}" for n in range(1, generation)]

    @given(classifiers, version_names, batch_names, generations)
    def test_the_batch_of_a_job(
        self, classifier: str, version: VersionName, batch: BatchName, generation: int
    ) -> None:
        name = str(JobName(batch_job_base(classifier, str(version), str(batch)), generation))
        assert len(name) <= MAX_JOB_NAME
        parsed = JobName.parse(name)
        assert parsed is not None
        assert parsed.generation == generation
        assert parsed.batch == str(batch)

    @given(classifiers, version_names, hashes)
    def test_a_score_is_the_job_of_no_batch(
        self, classifier: str, version: VersionName, fingerprint: str
    ) -> None:
        assert JobName(score_job_base(classifier, str(version), fingerprint)).batch is None

    @given(batch_names)
    def test_exported_files(self, batch: BatchName) -> None:
        for name in (str(batch), REJECTS):
            file = export_file(batch.run_key, name)
            assert run_of_export_file(file) == batch.run_key


class TestWhatNobodyMade:
    @pytest.mark.parametrize("name", ["", "night", "night-g", "night-g0", "night-g01", "night-ghost", "-g1"])
    def test_a_job_without_generation(self, name: str) -> None:
        assert JobName.parse(name) is None

    @pytest.mark.parametrize("name", ["", "model", "model-g2", "v0123", "v0123456789ab-g"])
    def test_a_version_of_somebody_else(self, name: str) -> None:
        assert VersionName.parse(name) is None

    @pytest.mark.parametrize("name", ["", "20261118", "20261118-0-0123abcd", "20261118-00000-0123", REJECTS])
    def test_a_batch(self, name: str) -> None:
        with pytest.raises(ValueError, match="is not the name of a batch"):
            BatchName.parse(name)


@given(classifiers, classifiers)
def test_the_name_of_an_endpoint_is_one_that_aws_takes_and_another_one_for_each_classifier(
    one: str, other: str
) -> None:
    name = endpoint_name(one)
    assert CLASSIFIER_NAME_PATTERN.fullmatch(name)
    assert len(name) <= MAX_ENDPOINT_NAME
    assert name.startswith(ENDPOINT_PREFIX)
    assert (name == endpoint_name(other)) == (one == other)


@pytest.mark.parametrize("name", ["tickets/version/v1", "v1"])
def test_a_version_has_the_name_at_the_end_of_its_arn(name: str) -> None:
    assert version_of(f"arn:aws:comprehend:eu-west-1:123456789012:document-classifier/{name}") == "v1"
