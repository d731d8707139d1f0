-- The jobs of a run that failed. IF NOT EXISTS, because for some hours version 1 was made with this column already.
ALTER TABLE nightsort.classification_runs ADD COLUMN IF NOT EXISTS failed_jobs jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN nightsort.classification_runs.failed_jobs IS
    'Jobs that failed, also where a later one did their work: [{job_id, job_name, status, message}].';
