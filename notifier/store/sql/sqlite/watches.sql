-- insert_watch: begin a watch nobody had
INSERT INTO watches (watch_id, account, kind, task_id, label, callbacks, origin, state, began_at, deadline_at, next_poll_at,
    anchor_at, polls, polled_at, status, unknown_count, unknown_since, problem, correlation_id, ended_at, outcome)
VALUES (:watch_id, :account, :kind, :task_id, :label, :callbacks, :origin, :state, :began_at, :deadline_at, :next_poll_at,
    :anchor_at, :polls, :polled_at, :status, :unknown_count, :unknown_since, :problem, :correlation_id, :ended_at, :outcome);

-- replace_watch: begin again a watch that was removed, lost or expired
UPDATE watches SET label = :label, callbacks = :callbacks, origin = :origin, state = :state, began_at = :began_at,
    deadline_at = :deadline_at, next_poll_at = :next_poll_at, anchor_at = :anchor_at, polls = :polls, polled_at = :polled_at,
    status = :status, unknown_count = :unknown_count, unknown_since = :unknown_since, problem = :problem,
    correlation_id = :correlation_id, ended_at = :ended_at, outcome = :outcome
WHERE watch_id = :watch_id;

-- save_progress: what a poll made of a watch that is still the one that was polled; what was asked of it stays
UPDATE watches SET state = :state, next_poll_at = :next_poll_at, anchor_at = :anchor_at,
    polls = :polls, polled_at = :polled_at, status = :status, unknown_count = :unknown_count, unknown_since = :unknown_since,
    problem = :problem, correlation_id = :correlation_id, ended_at = :ended_at, outcome = :outcome
WHERE watch_id = :watch_id AND state = 'active' AND began_at = :began_at;

-- change_request: the file says something else of a watch it already had
UPDATE watches SET label = :label, callbacks = :callbacks, origin = :origin, deadline_at = :deadline_at,
    next_poll_at = min(next_poll_at, :deadline_at)
WHERE watch_id = :watch_id;

-- end_watch: stop watching by hand or because the file no longer lists it
UPDATE watches SET state = :state, ended_at = :now WHERE watch_id = :watch_id;

-- watch_by_id: one watch
SELECT * FROM watches WHERE watch_id = ?;

-- configured_watches: those the file asked for that are still live
SELECT * FROM watches WHERE state = 'active' AND origin = 'config';

-- due_watches: longest due first
SELECT * FROM watches WHERE account = ? AND state = 'active' AND next_poll_at <= ? ORDER BY next_poll_at LIMIT ?;

-- next_poll_at: when the account must be asked next
SELECT min(next_poll_at) FROM watches WHERE account = ? AND state = 'active' AND next_poll_at > ?;

-- overdue_watches: past their deadline
SELECT * FROM watches WHERE account = ? AND state = 'active' AND deadline_at < ? ORDER BY deadline_at LIMIT ?;

-- find_watches: the latest begun first; NULL means any
SELECT * FROM watches
WHERE (:account IS NULL OR account = :account) AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
ORDER BY began_at DESC, watch_id LIMIT :limit;

-- watches_of_task: those a person may mean by an id, of the task or of the watch
SELECT * FROM watches WHERE task_id = :id UNION SELECT * FROM watches WHERE watch_id = :id ORDER BY account, kind LIMIT 5;

-- count_watches: per account, kind and state
SELECT account, kind, state, count(*) FROM watches GROUP BY account, kind, state;

-- shift_watches: the machine's clock was set
UPDATE watches SET began_at = began_at + :seconds, deadline_at = deadline_at + :seconds, next_poll_at = next_poll_at + :seconds,
    anchor_at = anchor_at + :seconds, polled_at = polled_at + :seconds, unknown_since = unknown_since + :seconds
WHERE state = 'active';

-- pull_in_polls: what no schedule plans so late
UPDATE watches SET next_poll_at = :now WHERE account = :account AND state = 'active' AND next_poll_at > :latest;

-- watched_accounts: from one index alone
SELECT account, count(*) FROM watches INDEXED BY watches_overdue WHERE state = 'active' GROUP BY account;

-- count_live: from the partial indexes alone, whatever has ended
SELECT (SELECT count(*) FROM watches INDEXED BY watches_overdue WHERE state = 'active') AS active,
    (SELECT count(*) FROM deliveries INDEXED BY deliveries_undelivered WHERE state = 'pending' AND state <> 'delivered') AS pending,
    (SELECT count(*) FROM deliveries INDEXED BY deliveries_undelivered WHERE state = 'held' AND state <> 'delivered') AS held,
    (SELECT count(*) FROM deliveries INDEXED BY deliveries_undelivered WHERE state = 'dead' AND state <> 'delivered') AS dead;
