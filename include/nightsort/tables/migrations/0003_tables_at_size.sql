-- What keeps a table of a hundred million rows fast; figures in docs/adr/0020-tables-at-size.md.

-- The rows of a day lie together, so this index takes 40 kB per million rows and costs the load nothing. It keeps
-- several intervals for each range, because the room of deleted rows is filled by other days.
CREATE INDEX predictions_day ON nightsort.predictions
    USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32);

-- The first one was made for fewer rows than 32 pages hold, and a look-up read fifty times as much of the table. This
-- one takes 2.3 MB per million rows.
DROP INDEX nightsort.predictions_document_id;
CREATE INDEX predictions_document_id ON nightsort.predictions
    USING brin (document_id text_bloom_ops (n_distinct_per_range = 1100, false_positive_rate = 0.001))
    WITH (pages_per_range = 32);

-- Rows that no vacuum has summarised are read by every query of these indexes. PostgreSQL would wait for a fifth of the
-- table; autosummarize loses its requests in a load, which makes more than it can note. These vacuums begin within
-- minutes and read only what was written since the last one.
ALTER TABLE nightsort.predictions SET (
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_threshold = 100000,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_threshold = 100000,
    autovacuum_analyze_scale_factor = 0.02
);

-- The view has to look at all rows of a classifier, for any of them may be the newest of its document. This looks only
-- at those from one day on, with the same result for the documents that were classified since.
CREATE FUNCTION nightsort.latest_predictions_since(classifier text, day date)
RETURNS SETOF nightsort.latest_predictions
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT DISTINCT ON (p.document_id)
           p.classifier, p.document_id, p.day, p.run_key, p.version, p.status, p.label, p.score, p.labels, p.scores,
           p.accepted, p.reason, p.batch, p.line, p.loaded_at
    FROM nightsort.predictions p
    WHERE p.classifier = latest_predictions_since.classifier AND p.day >= latest_predictions_since.day
      AND p.status <> 'rejected'
    ORDER BY p.document_id, p.day DESC, p.loaded_at DESC, p.batch, p.line;
END;
COMMENT ON FUNCTION nightsort.latest_predictions_since IS
    'The rows of latest_predictions of one classifier whose day is the given one or later, without looking at older rows.';
