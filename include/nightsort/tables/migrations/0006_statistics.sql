-- What a night looks like, counted while it is loaded: no page, and no rule for drift, has to read predictions.

ALTER TABLE nightsort.classification_runs
    ADD COLUMN forecast_units bigint,
    ADD COLUMN forecast_usd numeric(14, 4);
COMMENT ON COLUMN nightsort.classification_runs.forecast_units IS
    'Units that the run would be billed, by the forecast made before anything was sent; compare units.';
COMMENT ON COLUMN nightsort.classification_runs.forecast_usd IS 'Their price in USD; compare cost_usd.';

CREATE TABLE nightsort.batch_statistics (
    classifier      text COLLATE "C"   NOT NULL,
    run_key         text COLLATE "C"   NOT NULL,
    batch           text COLLATE "C"   NOT NULL,
    version         text COLLATE "C",
    classified      bigint             NOT NULL,
    labels          text[]             NOT NULL,
    documents       bigint[]           NOT NULL,
    score_sums      double precision[] NOT NULL,
    histograms      bigint[]           NOT NULL,
    least_confident jsonb              NOT NULL,
    examples        jsonb              NOT NULL,
    PRIMARY KEY (classifier, run_key, batch)
);
COMMENT ON TABLE nightsort.batch_statistics IS
    'One row per loaded batch, written with its predictions: what they add up to. Holds no document text.';
COMMENT ON COLUMN nightsort.batch_statistics.classifier IS 'Name of the classifier spec.';
COMMENT ON COLUMN nightsort.batch_statistics.run_key IS 'The run, as in predictions.';
COMMENT ON COLUMN nightsort.batch_statistics.batch IS 'The batch, as in predictions.';
COMMENT ON COLUMN nightsort.batch_statistics.version IS 'Classifier version that classified it; null for rejects.';
COMMENT ON COLUMN nightsort.batch_statistics.classified IS 'Documents with a label.';
COMMENT ON COLUMN nightsort.batch_statistics.labels IS
    'The labels, by name. A document counts for each accepted label, or for its best one if none is accepted.';
COMMENT ON COLUMN nightsort.batch_statistics.documents IS 'Documents that count for each label, in the order of labels.';
COMMENT ON COLUMN nightsort.batch_statistics.score_sums IS 'Sums of the scores that these documents have for the label.';
COMMENT ON COLUMN nightsort.batch_statistics.histograms IS
    'These scores counted in 20 bins: first the 20 numbers of the first label. Bin n holds n/20 <= score < (n+1)/20, the last one also 1.';
COMMENT ON COLUMN nightsort.batch_statistics.least_confident IS
    'The 50 documents with the lowest best score: [{batch, line, document_id, labels, scores}].';
COMMENT ON COLUMN nightsort.batch_statistics.examples IS
    'The first documents of each reason to have no label: {reason: [document_id]}.';

CREATE TABLE nightsort.run_statistics (
    classifier       text COLLATE "C"   NOT NULL,
    run_key          text COLLATE "C"   NOT NULL,
    labels           text[]             NOT NULL,
    documents        bigint[]           NOT NULL,
    score_sums       double precision[] NOT NULL,
    histograms       bigint[]           NOT NULL,
    least_confident  jsonb              NOT NULL,
    examples         jsonb              NOT NULL,
    failed_reasons   jsonb              NOT NULL,
    rejected_reasons jsonb              NOT NULL,
    drifted          boolean,
    drift            jsonb,
    PRIMARY KEY (classifier, run_key)
);
COMMENT ON TABLE nightsort.run_statistics IS
    'One row per run whose rows were counted: the sums of its batches, and whether its labels drifted. Holds no document text.';
COMMENT ON COLUMN nightsort.run_statistics.classifier IS 'Name of the classifier spec.';
COMMENT ON COLUMN nightsort.run_statistics.run_key IS 'The run, as in classification_runs.';
COMMENT ON COLUMN nightsort.run_statistics.labels IS 'The labels, by name; counted as in batch_statistics.';
COMMENT ON COLUMN nightsort.run_statistics.documents IS 'Documents that count for each label, in the order of labels.';
COMMENT ON COLUMN nightsort.run_statistics.score_sums IS 'Sums of the scores that these documents have for the label.';
COMMENT ON COLUMN nightsort.run_statistics.histograms IS 'These scores counted in 20 bins, as in batch_statistics.';
COMMENT ON COLUMN nightsort.run_statistics.least_confident IS
    'The 50 documents with the lowest best score: [{batch, line, document_id, labels, scores}].';
COMMENT ON COLUMN nightsort.run_statistics.examples IS
    'The first documents of each reason to have no label: {reason: [document_id]}.';
COMMENT ON COLUMN nightsort.run_statistics.failed_reasons IS 'Failed documents by reason: {reason: documents}.';
COMMENT ON COLUMN nightsort.run_statistics.rejected_reasons IS 'Rejected documents by reason: {reason: documents}.';
COMMENT ON COLUMN nightsort.run_statistics.drifted IS
    'Whether the labels are distributed otherwise than in the nights before; null if that cannot be said.';
COMMENT ON COLUMN nightsort.run_statistics.drift IS
    'The figures of this verdict, with a sentence; null if it was not asked for or documents are missing.';

CREATE VIEW nightsort.label_statistics AS
SELECT run.classifier, run.day, run.run_key, run.version, counted.label, counted.documents,
       counted.documents / sum(counted.documents) OVER (PARTITION BY run.classifier, run.run_key, run.day) AS share,
       counted.score_sum / counted.documents AS mean_score,
       statistics.histograms[(20 * counted.place - 19):(20 * counted.place)] AS histogram
FROM nightsort.classification_runs run
JOIN nightsort.run_statistics statistics USING (classifier, run_key)
CROSS JOIN LATERAL unnest(statistics.labels, statistics.documents, statistics.score_sums) WITH ORDINALITY
    AS counted (label, documents, score_sum, place);
COMMENT ON VIEW nightsort.label_statistics IS
    'One row per run and label: documents, their share, mean score and a histogram of the scores in 20 bins.';

CREATE VIEW nightsort.run_jobs AS
SELECT run.classifier, run.day, run.run_key, batch.value ->> 'name' AS batch, job.attempt,
       (job.value ->> 'documents')::bigint AS documents,
       job.value ->> 'job_id' AS job_id, job.value ->> 'job_name' AS job_name,
       CASE WHEN job.value ? 'job_id' THEN 'COMPLETED' END AS status, NULL AS message,
       (job.value ->> 'submitted_at')::timestamptz AS submitted_at,
       (job.value ->> 'ended_at')::timestamptz AS ended_at
FROM nightsort.classification_runs run
CROSS JOIN LATERAL jsonb_array_elements(run.batches) AS batch
CROSS JOIN LATERAL (
    SELECT 0 AS attempt, batch.value AS value
    UNION ALL
    SELECT retry.place, retry.value
    FROM jsonb_array_elements(batch.value -> 'retries') WITH ORDINALITY AS retry (value, place)
) AS job
UNION ALL
SELECT run.classifier, run.day, run.run_key, NULL, NULL, NULL,
       failed.value ->> 'job_id', failed.value ->> 'job_name', failed.value ->> 'status', failed.value ->> 'message',
       (failed.value ->> 'submitted_at')::timestamptz, (failed.value ->> 'ended_at')::timestamptz
FROM nightsort.classification_runs run
CROSS JOIN LATERAL jsonb_array_elements(run.failed_jobs) AS failed;
COMMENT ON VIEW nightsort.run_jobs IS
    'One row per job of a run: of each batch and of what was sent again (attempt 1 and up), and of jobs that failed.';
