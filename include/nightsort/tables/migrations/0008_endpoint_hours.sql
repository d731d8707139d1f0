-- An endpoint is billed by the second, used or not: each opening has a row that says when, why, how large and for how much.
CREATE TABLE nightsort.endpoint_hours (
    classifier    text COLLATE "C" NOT NULL,
    opened_at     timestamptz      NOT NULL,
    endpoint_arn  text             NOT NULL,
    opened_why    text             NOT NULL,
    changes       jsonb            NOT NULL,
    seen_at       timestamptz      NOT NULL,
    ready_at      timestamptz,
    last_asked_at timestamptz,
    usage         jsonb            NOT NULL DEFAULT '{}',
    by_hand_until timestamptz,
    held_by       text,
    moving_to     text,
    refused_model text,
    scaled        boolean          NOT NULL DEFAULT false,
    closing_at    timestamptz,
    closing_why   text,
    closed_at     timestamptz,
    seconds       numeric(14, 3)   NOT NULL,
    unit_seconds  numeric(16, 3)   NOT NULL,
    cost_usd      numeric(14, 4)   NOT NULL,
    PRIMARY KEY (classifier, opened_at)
);
COMMENT ON TABLE nightsort.endpoint_hours IS
    'One row per opening of a classifier''s endpoint, kept up with what Comprehend says of it: its seconds, units and price.';
COMMENT ON COLUMN nightsort.endpoint_hours.classifier IS 'Name of the classifier spec.';
COMMENT ON COLUMN nightsort.endpoint_hours.opened_at IS 'Comprehend''s CreationTime: it is billed from then on.';
COMMENT ON COLUMN nightsort.endpoint_hours.endpoint_arn IS 'The endpoint.';
COMMENT ON COLUMN nightsort.endpoint_hours.opened_why IS 'Why it was opened.';
COMMENT ON COLUMN nightsort.endpoint_hours.changes IS
    'From when on it had which inference units and model: [{at, units, model_arn}].';
COMMENT ON COLUMN nightsort.endpoint_hours.seen_at IS 'When it was last seen; an open row is billed up to then.';
COMMENT ON COLUMN nightsort.endpoint_hours.ready_at IS 'When it was first seen ready; null: not yet.';
COMMENT ON COLUMN nightsort.endpoint_hours.last_asked_at IS 'When somebody last asked it; null: nobody has, as far as is known.';
COMMENT ON COLUMN nightsort.endpoint_hours.usage IS
    'Consumed inference units by minute, of minutes in which there were any: {minute: units}.';
COMMENT ON COLUMN nightsort.endpoint_hours.by_hand_until IS 'Until when a person keeps it open; null: it follows its hours.';
COMMENT ON COLUMN nightsort.endpoint_hours.held_by IS 'Airflow''s run_id of the run that looks after it; the newest run does.';
COMMENT ON COLUMN nightsort.endpoint_hours.moving_to IS 'The model that it was asked to take; null: none is under way.';
COMMENT ON COLUMN nightsort.endpoint_hours.refused_model IS 'The model with which it failed; it is not tried again in this opening.';
COMMENT ON COLUMN nightsort.endpoint_hours.scaled IS 'Whether Application Auto Scaling was asked to change its units.';
COMMENT ON COLUMN nightsort.endpoint_hours.closing_at IS 'When its deletion was last asked for.';
COMMENT ON COLUMN nightsort.endpoint_hours.closing_why IS 'Why it was, or is to be, closed.';
COMMENT ON COLUMN nightsort.endpoint_hours.closed_at IS 'When its deletion began; null: it is open.';
COMMENT ON COLUMN nightsort.endpoint_hours.seconds IS 'How long it was open; of an open one up to seen_at.';
COMMENT ON COLUMN nightsort.endpoint_hours.unit_seconds IS 'Billed seconds times inference units, at least 60 seconds.';
COMMENT ON COLUMN nightsort.endpoint_hours.cost_usd IS 'Their price in USD.';
