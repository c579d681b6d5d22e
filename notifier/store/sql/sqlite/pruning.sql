-- next_events: the oldest recorded first, each with whether it may go: everything it owed is settled for long enough
SELECT e.seq, e.recorded_at, e.recorded_at < :delivered AND NOT EXISTS (
    SELECT 1 FROM deliveries AS d WHERE d.event_id = e.event_id AND (
        d.state NOT IN ('delivered', 'dead')
        OR coalesce(d.settled_at, d.created_at) >= CASE d.state WHEN 'delivered' THEN :delivered ELSE :dead END)) AS may_go
FROM events AS e WHERE e.seq > :after ORDER BY e.seq LIMIT :limit;

-- count_pruned: what goes with these events
SELECT count(DISTINCT d.delivery_id) AS deliveries, count(a.number) AS attempts
FROM events AS e JOIN deliveries AS d USING (event_id) LEFT JOIN attempts AS a USING (delivery_id)
WHERE e.seq IN (SELECT value FROM json_each(:seqs));

-- forget_events: their deliveries and attempts go with them
DELETE FROM events WHERE seq IN (SELECT value FROM json_each(:seqs));

-- next_watches: the longest begun first, each with whether it may go: over, and nothing left to tell of it
SELECT w.watch_id, w.began_at, w.state <> 'active' AND coalesce(w.ended_at, w.began_at) < :delivered AND NOT EXISTS (
    SELECT 1 FROM events AS e LEFT JOIN deliveries AS d USING (event_id) WHERE e.watch_id = w.watch_id AND (
        e.recorded_at >= :delivered OR d.state NOT IN ('delivered', 'dead')
        OR coalesce(d.settled_at, d.created_at) >= CASE d.state WHEN 'delivered' THEN :delivered ELSE :dead END)) AS may_go
FROM watches AS w WHERE (w.began_at, w.watch_id) > (:began_at, :watch_id) AND w.began_at < :delivered
ORDER BY w.began_at, w.watch_id LIMIT :limit;

-- forget_watches: these
DELETE FROM watches WHERE watch_id IN (SELECT value FROM json_each(:watch_ids));
