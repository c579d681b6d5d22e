-- insert_event: false facts are impossible, repeated ones are ignored
INSERT INTO events (event_id, type, occurred_at, recorded_at, watch_id, about_callback, content)
VALUES (:event_id, :type, :occurred_at, :recorded_at, :watch_id, :about_callback, :content)
ON CONFLICT (event_id) DO NOTHING;

-- insert_delivery: owed at once, or held while the callback is absent or disabled
INSERT INTO deliveries (delivery_id, event_id, callback, state, created_at, next_attempt_at, reason, content_type, body)
SELECT :delivery_id, :event_id, :callback,
    CASE WHEN off.name IS NULL THEN :state ELSE 'held' END, :now, :now,
    CASE WHEN off.name IS NOT NULL THEN 'disabled' WHEN :state = 'held' THEN 'absent' END, :content_type, :body
FROM (SELECT 1) LEFT JOIN callbacks AS off ON off.name = :callback AND off.disabled_at IS NOT NULL
WHERE true
ON CONFLICT (delivery_id) DO NOTHING;

-- event_by_id: one event
SELECT event_id, type, occurred_at, content, watch_id, about_callback FROM events WHERE event_id = ?;

-- body_of: what one delivery sends
SELECT body, content_type FROM deliveries WHERE delivery_id = ?;

-- claim: take due deliveries that this session does not hold already
UPDATE deliveries SET leased_by = :session, leased_until = :until, next_attempt_at = :until, attempts = attempts + 1
WHERE seq IN (SELECT seq FROM deliveries WHERE callback = :callback AND state = 'pending' AND next_attempt_at <= :now
              AND leased_by IS NOT :session ORDER BY next_attempt_at, seq LIMIT :limit)
RETURNING seq;

-- claimed: what was just taken, with what is sent
SELECT d.*, e.type AS event_type, e.watch_id, json_extract(e.content, '$.account') AS account,
    json_extract(e.content, '$.task_id') AS task_id, json_extract(e.content, '$.label') AS label, e.recorded_at
FROM deliveries AS d JOIN events AS e USING (event_id) WHERE d.seq = ?;

-- open_attempt: on record before the request leaves
INSERT INTO attempts (delivery_id, number, started_at) VALUES (?, ?, ?);

-- close_attempt: how it went
UPDATE attempts SET finished_at = :finished_at, reach = :reach, reason = :reason, status_code = :status_code, answer = :answer
WHERE delivery_id = :delivery_id AND number = :number;

-- settle: the verdict, if the lease is still ours
UPDATE deliveries SET state = :state, next_attempt_at = :next_attempt_at, failures = :failures, plain = :plain, reason = :reason,
    delivered_at = :delivered_at, leased_by = NULL, leased_until = NULL,
    settled_at = CASE WHEN :state IN ('delivered', 'dead') THEN :now END
WHERE delivery_id = :delivery_id AND leased_by = :session AND attempts = :number;

-- hold_queue: what is owed to a callback that was disabled
UPDATE deliveries SET state = 'held', reason = 'disabled' WHERE callback = :callback AND state = 'pending' AND leased_by IS NULL;

-- hold_if_disabled: what came back to the queue of a callback that was disabled meanwhile
UPDATE deliveries SET state = 'held', reason = 'disabled'
WHERE delivery_id = :delivery_id AND state = 'pending'
    AND EXISTS (SELECT 1 FROM callbacks WHERE name = :callback AND disabled_at IS NOT NULL);

-- bury_queue: a callback that is gone takes its queue with it
UPDATE deliveries SET state = 'dead', reason = :reason, settled_at = :now
WHERE callback = :callback AND state = 'pending' AND leased_by IS NULL;

-- next_attempt_at: when the callback is owed something next
SELECT min(next_attempt_at) FROM deliveries WHERE callback = :callback AND state = 'pending' AND leased_by IS NOT :session;

-- orphans: leases of sessions that are gone
SELECT delivery_id, attempts, callback FROM deliveries WHERE leased_by IS NOT NULL AND leased_by <> :session;

-- interrupt_attempt: nobody can tell what became of it
UPDATE attempts SET finished_at = :now, reach = 'unknown', reason = 'interrupted'
WHERE delivery_id = :delivery_id AND number = :number AND finished_at IS NULL;

-- adopt: owed again at once; sent again under the same id, for better twice than never
UPDATE deliveries SET leased_by = NULL, leased_until = NULL, next_attempt_at = min(next_attempt_at, :now),
    reason = 'interrupted', state = :state
WHERE delivery_id = :delivery_id;

-- my_leases: what this session holds
SELECT delivery_id, attempts, callback FROM deliveries WHERE leased_by = :session;

-- hold_absent: callbacks that the configuration no longer has
UPDATE deliveries SET state = 'held', reason = 'absent'
WHERE state = 'pending' AND leased_by IS NULL AND callback NOT IN (SELECT value FROM json_each(:configured));

-- release_present: callbacks that the configuration has again
UPDATE deliveries SET state = 'pending', reason = NULL, next_attempt_at = :now
WHERE state = 'held' AND state <> 'delivered' AND reason = 'absent' AND callback IN (SELECT value FROM json_each(:configured))
    AND callback NOT IN (SELECT name FROM callbacks WHERE disabled_at IS NOT NULL);

-- release_enabled: a callback that was enabled again
UPDATE deliveries SET state = 'pending', reason = NULL, next_attempt_at = :now
WHERE state = 'held' AND state <> 'delivered' AND reason IN ('absent', 'disabled') AND callback = :callback;

-- redeliver_all: owed again with all their retries; not to a callback that takes none
UPDATE deliveries SET state = 'pending', failures = 0, plain = 0, reason = NULL, next_attempt_at = :now, delivered_at = NULL,
    settled_at = NULL
WHERE delivery_id IN (SELECT value FROM json_each(:delivery_ids)) AND leased_by IS NULL
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND callback NOT IN (SELECT name FROM callbacks WHERE disabled_at IS NOT NULL)
RETURNING delivery_id;

-- find_deliveries: the latest first; NULL means any
SELECT d.*, e.type AS event_type, json_extract(e.content, '$.task_id') AS task_id
FROM deliveries AS d JOIN events AS e USING (event_id)
WHERE (:callback IS NULL OR d.callback = :callback)
    AND (:states IS NULL OR d.state IN (SELECT value FROM json_each(:states)))
    AND (:event_type IS NULL OR e.type GLOB :event_type) AND (:since IS NULL OR d.created_at >= :since)
ORDER BY d.seq DESC LIMIT :limit;

-- count_selected: how many those are without a limit
SELECT count(*) FROM deliveries AS d JOIN events AS e USING (event_id)
WHERE (:callback IS NULL OR d.callback = :callback)
    AND (:states IS NULL OR d.state IN (SELECT value FROM json_each(:states)))
    AND (:event_type IS NULL OR e.type GLOB :event_type) AND (:since IS NULL OR d.created_at >= :since);

-- select_deliveries: the oldest first, a page at a time
SELECT d.*, e.type AS event_type, json_extract(e.content, '$.task_id') AS task_id
FROM deliveries AS d JOIN events AS e USING (event_id)
WHERE d.seq > :after AND (:callback IS NULL OR d.callback = :callback)
    AND (:states IS NULL OR d.state IN (SELECT value FROM json_each(:states)))
    AND (:event_type IS NULL OR e.type GLOB :event_type) AND (:since IS NULL OR d.created_at >= :since)
ORDER BY d.seq LIMIT :limit;

-- deliveries_of_watch: every one, the latest first
SELECT d.*, e.type AS event_type, json_extract(e.content, '$.task_id') AS task_id
FROM events AS e JOIN deliveries AS d USING (event_id) WHERE e.watch_id = ? ORDER BY d.seq DESC;

-- delivery_by_id: one delivery, by its id or the beginning of it
SELECT d.*, e.type AS event_type, json_extract(e.content, '$.task_id') AS task_id
FROM deliveries AS d JOIN events AS e USING (event_id)
WHERE d.delivery_id >= :beginning AND d.delivery_id < :beginning || '~' LIMIT 2;

-- attempts_of: in order
SELECT delivery_id, number, started_at, finished_at, reach, reason, status_code, answer FROM attempts
WHERE delivery_id = ? ORDER BY number;

-- count_deliveries: per callback and state
SELECT callback, state, count(*) FROM deliveries GROUP BY callback, state;

-- shift_deliveries: the machine's clock was set
UPDATE deliveries SET next_attempt_at = next_attempt_at + :seconds, leased_until = leased_until + :seconds WHERE state = 'pending';

-- oldest_undelivered: since when each callback waits for something
SELECT callback, min(created_at) FROM deliveries WHERE state = 'pending' GROUP BY callback;
