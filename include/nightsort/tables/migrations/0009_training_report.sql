-- What became of the labelled documents of a version, so that a page needs no right to read its files.

ALTER TABLE nightsort.classifier_versions ADD COLUMN training_report jsonb;
COMMENT ON COLUMN nightsort.classifier_versions.training_report IS
    'What became of the labelled documents: how many were read, rejected and why, duplicates, left out, and warnings. Holds no ids.';
