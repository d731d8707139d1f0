-- A small night goes through the classifier's open endpoint: docs/adr/0046-a-small-night-takes-the-open-endpoint.md. New
-- columns are null in the rows that are there.
ALTER TABLE nightsort.classification_runs
    ADD COLUMN way text COLLATE "C" CHECK (way IN ('job', 'endpoint')),
    ADD COLUMN way_why text;
COMMENT ON COLUMN nightsort.classification_runs.way IS
    'How its texts were sent: job, or endpoint where any were. Null: the spec has no batch.endpoint_below, or nothing was sent.';
COMMENT ON COLUMN nightsort.classification_runs.way_why IS 'Why, and what became of it.';
COMMENT ON COLUMN nightsort.classification_runs.batches IS
    'The batches: [{name, documents, loaded, …, retries}], with what is known of their jobs and of what was sent again. A batch that an endpoint classified has no job_id and source endpoint.';

CREATE OR REPLACE VIEW nightsort.run_jobs AS
SELECT run.classifier, run.day, run.run_key, batch.value ->> 'name' AS batch, job.attempt,
       (job.value ->> 'documents')::bigint AS documents,
       job.value ->> 'job_id' AS job_id, job.value ->> 'job_name' AS job_name,
       CASE WHEN job.value ? 'job_id' THEN 'COMPLETED' END AS status, NULL AS message,
       (job.value ->> 'submitted_at')::timestamptz AS submitted_at,
       (job.value ->> 'ended_at')::timestamptz AS ended_at,
       coalesce(job.value ->> 'source', 'job') AS source
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
       (failed.value ->> 'submitted_at')::timestamptz, (failed.value ->> 'ended_at')::timestamptz, 'job'
FROM nightsort.classification_runs run
CROSS JOIN LATERAL jsonb_array_elements(run.failed_jobs) AS failed;
COMMENT ON VIEW nightsort.run_jobs IS
    'One row per job of a run: of each batch and of what was sent again (attempt 1 and up), and of jobs that failed. source is endpoint where an endpoint classified the batch, and there was no job.';
