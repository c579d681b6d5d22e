-- Times are unix seconds (REAL, UTC). Ids are derived from what they name, so writing the same fact twice is one row.

-- Our interest in one task.
CREATE TABLE watches (
    watch_id       TEXT PRIMARY KEY,
    account        TEXT NOT NULL,
    kind           TEXT NOT NULL,
    task_id        TEXT NOT NULL,
    label          TEXT,
    callbacks      TEXT,               -- JSON list of names; NULL: every callback
    origin         TEXT NOT NULL CHECK (origin IN ('config', 'command')),
    state          TEXT NOT NULL CHECK (state IN ('active', 'ended', 'expired', 'lost', 'removed')),
    began_at       REAL NOT NULL,
    deadline_at    REAL NOT NULL,
    next_poll_at   REAL NOT NULL,
    anchor_at      REAL,
    polls          INTEGER NOT NULL DEFAULT 0,
    polled_at      REAL,
    status         TEXT,
    unknown_count  INTEGER NOT NULL DEFAULT 0,
    unknown_since  REAL,
    problem        TEXT,
    correlation_id TEXT,
    ended_at       REAL,
    outcome        TEXT
) WITHOUT ROWID;
CREATE INDEX watches_by_task ON watches (task_id);
CREATE INDEX watches_by_beginning ON watches (began_at);
-- Lead with the account, the unit of ownership, and hold only what is live.
CREATE INDEX watches_due ON watches (account, next_poll_at) WHERE state = 'active';
-- With the state in it, this one alone can count what is active.
CREATE INDEX watches_overdue ON watches (account, deadline_at, state) WHERE state = 'active';

-- Immutable facts worth telling.
CREATE TABLE events (
    seq            INTEGER PRIMARY KEY,
    event_id       TEXT NOT NULL UNIQUE,
    type           TEXT NOT NULL,
    occurred_at    REAL NOT NULL,
    recorded_at    REAL NOT NULL,
    watch_id       TEXT,
    about_callback TEXT,
    content        TEXT NOT NULL       -- JSON, the payload's "data"
);
CREATE INDEX events_by_watch ON events (watch_id) WHERE watch_id IS NOT NULL;

-- The duty to tell one event to one callback.
CREATE TABLE deliveries (
    seq             INTEGER PRIMARY KEY,
    delivery_id     TEXT NOT NULL UNIQUE,
    event_id        TEXT NOT NULL REFERENCES events (event_id) ON DELETE CASCADE,
    callback        TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'held')),
    created_at      REAL NOT NULL,
    next_attempt_at REAL NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    failures        INTEGER NOT NULL DEFAULT 0,
    plain           INTEGER NOT NULL DEFAULT 0,
    reason          TEXT,
    delivered_at    REAL,
    settled_at      REAL,              -- since when it is delivered or dead
    leased_by       TEXT,
    leased_until    REAL,
    content_type    TEXT NOT NULL,
    body            BLOB NOT NULL      -- rendered once, never again
);
CREATE INDEX deliveries_by_event ON deliveries (event_id);
CREATE INDEX deliveries_due ON deliveries (callback, next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_leased ON deliveries (leased_by) WHERE leased_by IS NOT NULL;
CREATE INDEX deliveries_undelivered ON deliveries (state, callback) WHERE state <> 'delivered';

-- One HTTP try of a delivery; the row is written before the request leaves.
CREATE TABLE attempts (
    delivery_id TEXT NOT NULL REFERENCES deliveries (delivery_id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    started_at  REAL NOT NULL,
    finished_at REAL,
    reach       TEXT,
    reason      TEXT,
    status_code INTEGER,
    answer      TEXT,
    PRIMARY KEY (delivery_id, number)
) WITHOUT ROWID;

-- What is remembered of a callback between attempts, and of an account between polls.
CREATE TABLE callbacks (
    name            TEXT PRIMARY KEY,
    paused_until    REAL,
    disabled_at     REAL,
    disabled_reason TEXT,
    open_until      REAL               -- of the running daemon's breaker; NULL: closed
) WITHOUT ROWID;
CREATE TABLE accounts (
    name           TEXT PRIMARY KEY,
    rejected_at    REAL,
    reason         TEXT,
    correlation_id TEXT,
    paused_until   REAL,
    pause_reason   TEXT
) WITHOUT ROWID;

-- When it was, by this machine's clock, when we last looked.
CREATE TABLE clock (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    noted_at REAL NOT NULL
);
