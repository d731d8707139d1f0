-- A run has its row from the moment that prepare_batches begins, and says which DAG run it is. Failed documents may be
-- sent again.
ALTER TABLE nightsort.classification_runs
    ADD COLUMN dag_id text,
    ADD COLUMN run_id text,
    ADD COLUMN retried bigint NOT NULL DEFAULT 0,
    ALTER COLUMN documents_in SET DEFAULT 0,
    ALTER COLUMN classified SET DEFAULT 0,
    ALTER COLUMN failed SET DEFAULT 0,
    ALTER COLUMN rejected SET DEFAULT 0,
    ALTER COLUMN finished_at DROP NOT NULL,
    DROP CONSTRAINT classification_runs_state_check,
    ADD CONSTRAINT classification_runs_state_check CHECK (state IN ('running', 'complete', 'incomplete', 'failed'));
COMMENT ON TABLE nightsort.classification_runs IS
    'One row per run, from its beginning on. In a complete run documents_in = classified + failed + rejected.';
COMMENT ON COLUMN nightsort.classification_runs.state IS
    'running; complete: every document is accounted for; incomplete: message says what is missing; failed: message says why.';
COMMENT ON COLUMN nightsort.classification_runs.message IS
    'What is missing, why nothing was sent, or which limit of the spec''s quality is exceeded; null if all is well.';
COMMENT ON COLUMN nightsort.classification_runs.dag_id IS 'Airflow''s dag_id of the last run of the day.';
COMMENT ON COLUMN nightsort.classification_runs.run_id IS 'Airflow''s run_id of the last run of the day.';
COMMENT ON COLUMN nightsort.classification_runs.retried IS
    'Failed documents that were sent again, each time counted; units and cost_usd contain them.';
COMMENT ON COLUMN nightsort.classification_runs.batches IS
    'The batches: [{name, documents, loaded, …, retries}], with what is known of their jobs and of what was sent again.';
COMMENT ON COLUMN nightsort.classification_runs.finished_at IS
    'When the sums were made, or preparing failed; null while running.';
