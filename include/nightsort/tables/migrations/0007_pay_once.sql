-- Where results come from, and what was not paid twice; why is in docs/adr/0040-a-text-is-paid-for-once.md. Nothing is
-- rewritten: new columns are null in the rows that are there, or have a constant, which PostgreSQL keeps beside the table.
ALTER TABLE nightsort.predictions
    ADD COLUMN source text COLLATE "C",
    ADD COLUMN source_run text COLLATE "C",
    -- Not valid: the rows that are there have no source, and are not read to find that out.
    ADD CONSTRAINT predictions_source CHECK (source IN ('job', 'repeat', 'reused', 'endpoint')) NOT VALID;
COMMENT ON COLUMN nightsort.predictions.source IS
    'Where the result comes from. job: a job classified the document; repeat: a job classified a document with the same text; reused: an earlier run of the same version did; endpoint: an endpoint did. Null if rejected, or loaded by a release before 0007.';
COMMENT ON COLUMN nightsort.predictions.source_run IS
    'The run that paid for a reused result; otherwise null.';
COMMENT ON COLUMN nightsort.predictions.line IS
    'Place of the document in its batch, from 0; with one document per line, its line in the input file. Documents whose text another one has come behind the lines.';

ALTER TABLE nightsort.classification_runs
    ADD COLUMN repeated bigint NOT NULL DEFAULT 0,
    ADD COLUMN reused bigint NOT NULL DEFAULT 0,
    ADD COLUMN saved_units bigint NOT NULL DEFAULT 0,
    ADD COLUMN saved_usd numeric(14, 4) NOT NULL DEFAULT 0;
COMMENT ON COLUMN nightsort.classification_runs.repeated IS
    'Rows of documents that were not sent, because one with the same text was.';
COMMENT ON COLUMN nightsort.classification_runs.reused IS
    'Rows of documents that were not sent, because an earlier run of the same version classified their text.';
COMMENT ON COLUMN nightsort.classification_runs.saved_units IS 'Units that these documents would have cost.';
COMMENT ON COLUMN nightsort.classification_runs.saved_usd IS 'Their price, in USD.';

CREATE OR REPLACE VIEW nightsort.latest_predictions AS
SELECT DISTINCT ON (classifier, document_id)
       classifier, document_id, day, run_key, version, status, label, score, labels, scores, accepted, reason,
       batch, line, loaded_at, coalesce(source, 'job') AS source, source_run
FROM nightsort.predictions
WHERE status <> 'rejected'
ORDER BY classifier, document_id, day DESC, loaded_at DESC, batch, line;

CREATE OR REPLACE FUNCTION nightsort.latest_predictions_since(classifier text, day date)
RETURNS SETOF nightsort.latest_predictions
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT DISTINCT ON (p.document_id)
           p.classifier, p.document_id, p.day, p.run_key, p.version, p.status, p.label, p.score, p.labels, p.scores,
           p.accepted, p.reason, p.batch, p.line, p.loaded_at, coalesce(p.source, 'job') AS source, p.source_run
    FROM nightsort.predictions p
    WHERE p.classifier = latest_predictions_since.classifier AND p.day >= latest_predictions_since.day
      AND p.status <> 'rejected'
    ORDER BY p.document_id, p.day DESC, p.loaded_at DESC, p.batch, p.line;
END;
