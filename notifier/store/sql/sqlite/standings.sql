-- callback_standing: what is remembered of a callback
SELECT name, paused_until, disabled_at, disabled_reason, open_until FROM callbacks WHERE name = ?;

-- pause_callback: a pause is only ever made longer
INSERT INTO callbacks (name, paused_until) VALUES (:name, :until)
ON CONFLICT (name) DO UPDATE SET paused_until = max(coalesce(paused_until, 0), excluded.paused_until);

-- disable_callback: nothing more is sent to it
INSERT INTO callbacks (name, disabled_at, disabled_reason) VALUES (:name, :now, :reason)
ON CONFLICT (name) DO UPDATE SET disabled_at = coalesce(disabled_at, excluded.disabled_at),
    disabled_reason = coalesce(disabled_reason, excluded.disabled_reason);

-- enable_callback: pauses and disablement are lifted
UPDATE callbacks SET paused_until = NULL, disabled_at = NULL, disabled_reason = NULL WHERE name = ?;

-- pull_in_paused: what waits because of the pause that is lifted
UPDATE deliveries SET next_attempt_at = :now
WHERE callback = :callback AND state = 'pending' AND leased_by IS NULL AND next_attempt_at > :now AND reason = 'status_429';

-- note_breaker: for those who look on
INSERT INTO callbacks (name, open_until) VALUES (:name, :open_until)
ON CONFLICT (name) DO UPDATE SET open_until = excluded.open_until;

-- forget_breakers: they were in the memory of a session that is gone
UPDATE callbacks SET open_until = NULL WHERE open_until IS NOT NULL;

-- account_standing: what is remembered of an account
SELECT name, rejected_at, reason, correlation_id, paused_until, pause_reason FROM accounts WHERE name = ?;

-- pause_account: as it was told
INSERT INTO accounts (name, paused_until, pause_reason) VALUES (:name, :until, :reason)
ON CONFLICT (name) DO UPDATE SET paused_until = excluded.paused_until, pause_reason = excluded.pause_reason;

-- shift_accounts: the machine's clock was set
UPDATE accounts SET paused_until = paused_until + :seconds WHERE paused_until IS NOT NULL;

-- set_account_standing: all but the pause
INSERT INTO accounts (name, rejected_at, reason, correlation_id) VALUES (:name, :rejected_at, :reason, :correlation_id)
ON CONFLICT (name) DO UPDATE SET rejected_at = excluded.rejected_at, reason = excluded.reason,
    correlation_id = excluded.correlation_id;

-- shift_pauses: the machine's clock was set
UPDATE callbacks SET paused_until = paused_until + :seconds, open_until = open_until + :seconds
WHERE paused_until IS NOT NULL OR open_until IS NOT NULL;

-- latest_time: as it was noted
SELECT max(noted_at) FROM clock;

-- note_time: one row
INSERT INTO clock (id, noted_at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET noted_at = excluded.noted_at;
