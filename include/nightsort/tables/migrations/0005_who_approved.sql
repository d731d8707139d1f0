-- A cost above the budget is approved by a person, and the row of what was paid for says by whom.
ALTER TABLE nightsort.classification_runs
    ADD COLUMN approved_by text,
    ADD COLUMN approved_at timestamptz;
ALTER TABLE nightsort.classifier_versions
    ADD COLUMN approved_by text,
    ADD COLUMN approved_at timestamptz;
COMMENT ON COLUMN nightsort.classification_runs.approved_by IS
    'The user of Airflow who last approved a cost of this day above the budget; null: nobody was asked.';
COMMENT ON COLUMN nightsort.classification_runs.approved_at IS 'When the user of approved_by answered.';
COMMENT ON COLUMN nightsort.classifier_versions.approved_by IS
    'The user of Airflow who approved the cost of the training above the budget; null: nobody was asked.';
COMMENT ON COLUMN nightsort.classifier_versions.approved_at IS 'When the user of approved_by answered.';
