-- The tables of Nightsort, for PostgreSQL 14 and newer. Applied by ensure_schema(), in one transaction.
-- Keys are in the C collation: they are compared for equality and order by day, not sorted for a reader's eye.

CREATE SCHEMA IF NOT EXISTS nightsort;

CREATE TABLE nightsort.schema_version (
    version    integer     PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE nightsort.schema_version IS 'Versions of this schema that were applied; the highest one is current.';
COMMENT ON COLUMN nightsort.schema_version.version IS 'Number of the version.';
COMMENT ON COLUMN nightsort.schema_version.applied_at IS 'When it was applied.';


CREATE TABLE nightsort.predictions (
    classifier  text COLLATE "C" NOT NULL,
    run_key     text COLLATE "C" NOT NULL,
    batch       text COLLATE "C" NOT NULL,
    day         date             NOT NULL,
    version     text COLLATE "C",
    line        bigint           NOT NULL,
    document_id text COLLATE "C",
    status      text COLLATE "C" NOT NULL,
    label       text,
    score       real,
    labels      text[],
    scores      real[],
    accepted    text[],
    reason      text,
    loaded_at   timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (classifier, run_key, batch, line),
    CHECK (status IN ('classified', 'failed', 'rejected')),
    CHECK ((status = 'classified') = (label IS NOT NULL)),
    CHECK ((status = 'classified') = (reason IS NULL)),
    CHECK (document_id IS NOT NULL OR status = 'rejected')
);
-- A block-range index with Bloom filters: 1.3 MB and 0.2 s per million rows loaded, a document is found in 20 ms among
-- ten million rows. A B-tree or hash index finds it in 0.1 ms, but takes 60 % to 100 % longer to load; where many single
-- documents are looked up, add one: CREATE INDEX ON nightsort.predictions USING hash (document_id).
CREATE INDEX predictions_document_id ON nightsort.predictions
    USING brin (document_id text_bloom_ops (n_distinct_per_range = 800, false_positive_rate = 0.005))
    WITH (pages_per_range = 32, autosummarize = on);
COMMENT ON TABLE nightsort.predictions IS
    'One row per document and run: its label, or the reason why it has none. Holds no document text.';
COMMENT ON COLUMN nightsort.predictions.classifier IS 'Name of the classifier spec.';
COMMENT ON COLUMN nightsort.predictions.run_key IS
    'The run: its day as YYYYMMDD, with a hash of the source behind it if the source was given by hand.';
COMMENT ON COLUMN nightsort.predictions.batch IS
    'The batch, that is one classification job; ''rejects'' for documents that were never sent.';
COMMENT ON COLUMN nightsort.predictions.day IS 'The day that the run classified.';
COMMENT ON COLUMN nightsort.predictions.version IS 'Classifier version that classified it; null if rejected.';
COMMENT ON COLUMN nightsort.predictions.line IS
    'Place of the document in its batch, from 0; with one document per line, its line in the input file.';
COMMENT ON COLUMN nightsort.predictions.document_id IS
    'Id of the document in its source; null only for a rejected document that has none.';
COMMENT ON COLUMN nightsort.predictions.status IS
    'classified; failed: sent, but without a label; rejected: not sent.';
COMMENT ON COLUMN nightsort.predictions.label IS 'The best label.';
COMMENT ON COLUMN nightsort.predictions.score IS 'Confidence of the best label, 0 to 1.';
COMMENT ON COLUMN nightsort.predictions.labels IS 'All labels that Comprehend returned, best first.';
COMMENT ON COLUMN nightsort.predictions.scores IS 'Their scores, in the same order.';
COMMENT ON COLUMN nightsort.predictions.accepted IS
    'Multi-label: the labels whose score is at or above the spec''s threshold. Multi-class: the best label.';
COMMENT ON COLUMN nightsort.predictions.reason IS
    'Why there is no label: missing_from_output, unreadable_line, no_labels, error:<code>, or the reason of the reject.';
COMMENT ON COLUMN nightsort.predictions.loaded_at IS 'When the row was loaded.';


CREATE TABLE nightsort.classification_runs (
    classifier   text COLLATE "C" NOT NULL,
    run_key      text COLLATE "C" NOT NULL,
    day          date             NOT NULL,
    version      text COLLATE "C",
    state        text             NOT NULL,
    message      text,
    documents_in bigint           NOT NULL,
    classified   bigint           NOT NULL,
    failed       bigint           NOT NULL,
    rejected     bigint           NOT NULL,
    reasons      jsonb            NOT NULL DEFAULT '{}',
    batches      jsonb            NOT NULL DEFAULT '[]',
    units        bigint           NOT NULL DEFAULT 0,
    cost_usd     numeric(14, 4)   NOT NULL DEFAULT 0,
    source_uri   text,
    started_at   timestamptz,
    finished_at  timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (classifier, run_key),
    CHECK (state IN ('complete', 'incomplete'))
);
COMMENT ON TABLE nightsort.classification_runs IS
    'One row per run. In a complete run documents_in = classified + failed + rejected.';
COMMENT ON COLUMN nightsort.classification_runs.classifier IS 'Name of the classifier spec.';
COMMENT ON COLUMN nightsort.classification_runs.run_key IS 'The run, as in predictions.';
COMMENT ON COLUMN nightsort.classification_runs.day IS 'The day that the run classified.';
COMMENT ON COLUMN nightsort.classification_runs.version IS 'Classifier version; null if nothing was sent.';
COMMENT ON COLUMN nightsort.classification_runs.state IS
    'complete: every document is accounted for; incomplete: message says what is missing.';
COMMENT ON COLUMN nightsort.classification_runs.message IS 'What is missing, with the numbers; null if complete.';
COMMENT ON COLUMN nightsort.classification_runs.documents_in IS 'Documents that the source held.';
COMMENT ON COLUMN nightsort.classification_runs.classified IS 'Rows of predictions with a label.';
COMMENT ON COLUMN nightsort.classification_runs.failed IS 'Rows that were sent and have no label.';
COMMENT ON COLUMN nightsort.classification_runs.rejected IS 'Rows that were not sent.';
COMMENT ON COLUMN nightsort.classification_runs.reasons IS 'Failed and rejected rows by reason: {reason: rows}.';
COMMENT ON COLUMN nightsort.classification_runs.batches IS
    'The batches: [{name, documents, loaded, …}], with what the caller knows of their jobs.';
COMMENT ON COLUMN nightsort.classification_runs.units IS 'Units billed: 100 characters each, at least 3 a document.';
COMMENT ON COLUMN nightsort.classification_runs.cost_usd IS 'What Comprehend charges for the run, in USD.';
COMMENT ON COLUMN nightsort.classification_runs.source_uri IS 'The source, if it was given by hand.';
COMMENT ON COLUMN nightsort.classification_runs.started_at IS 'When the run began.';
COMMENT ON COLUMN nightsort.classification_runs.finished_at IS 'When the sums were made.';


CREATE TABLE nightsort.classifier_versions (
    classifier         text COLLATE "C" NOT NULL,
    version            text COLLATE "C" NOT NULL,
    arn                text             NOT NULL,
    mode               text             NOT NULL,
    language           text             NOT NULL,
    status             text,
    message            text,
    fingerprint        text,
    test_fingerprint   text,
    training_uri       text,
    test_uri           text,
    training_documents bigint,
    test_documents     bigint,
    labels             jsonb,
    metrics            jsonb,
    confusion_matrix   jsonb,
    training_seconds   double precision,
    cost_usd           numeric(14, 4),
    trained_at         timestamptz,
    recorded_at        timestamptz      NOT NULL DEFAULT now(),
    promoted_at        timestamptz,
    active             boolean          NOT NULL DEFAULT false,
    PRIMARY KEY (classifier, version)
);
CREATE UNIQUE INDEX classifier_versions_one_active ON nightsort.classifier_versions (classifier) WHERE active;
COMMENT ON TABLE nightsort.classifier_versions IS
    'One row per trained classifier version. At most one version of a classifier is active.';
COMMENT ON COLUMN nightsort.classifier_versions.classifier IS 'Name of the classifier spec.';
COMMENT ON COLUMN nightsort.classifier_versions.version IS 'VersionName: v and a hash of training data and settings.';
COMMENT ON COLUMN nightsort.classifier_versions.arn IS 'ARN of the version in Comprehend.';
COMMENT ON COLUMN nightsort.classifier_versions.mode IS 'MULTI_CLASS or MULTI_LABEL.';
COMMENT ON COLUMN nightsort.classifier_versions.language IS 'Language code of the documents.';
COMMENT ON COLUMN nightsort.classifier_versions.status IS 'Comprehend''s status, TRAINED or TRAINED_WITH_WARNING.';
COMMENT ON COLUMN nightsort.classifier_versions.message IS 'Comprehend''s message, for instance what the warning is.';
COMMENT ON COLUMN nightsort.classifier_versions.fingerprint IS 'Hash of the training data.';
COMMENT ON COLUMN nightsort.classifier_versions.test_fingerprint IS
    'Hash of the test data; metrics of two versions can be compared if it is the same.';
COMMENT ON COLUMN nightsort.classifier_versions.training_uri IS 'Training data.';
COMMENT ON COLUMN nightsort.classifier_versions.test_uri IS 'Test data.';
COMMENT ON COLUMN nightsort.classifier_versions.training_documents IS 'Documents that Comprehend trained with.';
COMMENT ON COLUMN nightsort.classifier_versions.test_documents IS 'Documents that Comprehend tested with.';
COMMENT ON COLUMN nightsort.classifier_versions.labels IS 'Documents by label: {label: {training, test}}.';
COMMENT ON COLUMN nightsort.classifier_versions.metrics IS
    'Metrics on the test data, 0 to 1: accuracy, macro_*, micro_*, hamming_loss.';
COMMENT ON COLUMN nightsort.classifier_versions.confusion_matrix IS
    'Comprehend''s confusion_matrix.json; rows are the actual labels.';
COMMENT ON COLUMN nightsort.classifier_versions.training_seconds IS 'Billed training time.';
COMMENT ON COLUMN nightsort.classifier_versions.cost_usd IS 'What Comprehend charges for the training, in USD.';
COMMENT ON COLUMN nightsort.classifier_versions.trained_at IS 'When training ended.';
COMMENT ON COLUMN nightsort.classifier_versions.recorded_at IS 'When this row was last written.';
COMMENT ON COLUMN nightsort.classifier_versions.promoted_at IS 'When it last became active; null if it never was.';
COMMENT ON COLUMN nightsort.classifier_versions.active IS 'Whether the nightly DAG uses it.';


CREATE TABLE nightsort.promotion_decisions (
    classifier       text COLLATE "C"  NOT NULL,
    version          text COLLATE "C"  NOT NULL,
    against          text COLLATE "C"  NOT NULL DEFAULT '',
    test_fingerprint text COLLATE "C"  NOT NULL DEFAULT '',
    metric           text              NOT NULL,
    old              double precision,
    new              double precision,
    promoted         boolean           NOT NULL,
    reason           text              NOT NULL,
    decided_at       timestamptz       NOT NULL DEFAULT now(),
    PRIMARY KEY (classifier, version, against, test_fingerprint)
);
COMMENT ON TABLE nightsort.promotion_decisions IS
    'One row per decision whether a version becomes active, with its reason. A decision made again replaces its row.';
COMMENT ON COLUMN nightsort.promotion_decisions.classifier IS 'Name of the classifier spec.';
COMMENT ON COLUMN nightsort.promotion_decisions.version IS 'The new version.';
COMMENT ON COLUMN nightsort.promotion_decisions.against IS 'The version that was active then; empty if there was none.';
COMMENT ON COLUMN nightsort.promotion_decisions.test_fingerprint IS 'Hash of the test data that both were measured on.';
COMMENT ON COLUMN nightsort.promotion_decisions.metric IS 'The metric that was compared.';
COMMENT ON COLUMN nightsort.promotion_decisions.old IS 'Its value for the version that was active.';
COMMENT ON COLUMN nightsort.promotion_decisions.new IS 'Its value for the new version.';
COMMENT ON COLUMN nightsort.promotion_decisions.promoted IS 'Whether the new version became active.';
COMMENT ON COLUMN nightsort.promotion_decisions.reason IS 'The decision in words.';
COMMENT ON COLUMN nightsort.promotion_decisions.decided_at IS 'When it was made.';


CREATE VIEW nightsort.latest_predictions AS
SELECT DISTINCT ON (classifier, document_id)
       classifier, document_id, day, run_key, version, status, label, score, labels, scores, accepted, reason,
       batch, line, loaded_at
FROM nightsort.predictions
WHERE status <> 'rejected'
ORDER BY classifier, document_id, day DESC, loaded_at DESC, batch, line;
COMMENT ON VIEW nightsort.latest_predictions IS
    'The newest row of each document that was sent: of the latest day, and of that day''s runs the one loaded last.';
