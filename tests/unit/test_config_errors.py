"""Every class of mistake: where it is said to be, and what the remedy is."""

from pathlib import Path

import pytest
from configs import ENVIRON, GOOD, SIGNING, loaded, only_error, refused

ACCOUNT = "accounts: {main: {token: abc}}\n"
ACCOUNTS = "accounts: {main: {token: abc}, other: {token: def}}\n"
CALLBACK = f"callbacks: {{erp: {{url: https://a.example/x, secret: {SIGNING}}}}}\n"

# (name, text, line:col, path, part of the message, part of the hint)
MISTAKES = [
    ("unknown key", ACCOUNT + "tasks:\n  - id: A\n    dedline: 2h\n", "4:5", "tasks[0].dedline", 'unknown key "dedline"', "did you mean `deadline`?"),
    ("nothing near", ACCOUNT + "xyzzy: 1\n", "2:1", "xyzzy", "unknown key", "accounts, callbacks, tasks, polling, delivery, store, retention, log"),
    ("not implemented", ACCOUNT + "server: {listen: x}\n", "2:1", "server", "unknown key", "use one of"),
    ("key in key", "accounts:\n  main:\n    webhook_token: abc\n    token: x\n", "3:5", "accounts.main.webhook_token", "unknown key", "`token`"),
    ("no accounts", "tasks: []\n", "1:1", "", "no accounts", "add one"),
    ("empty accounts", "accounts:\ntasks: []\n", "1:1", "accounts", "no accounts", "add one"),
    ("no token", "accounts:\n  main: {}\n", "2:3", "accounts.main", "the account's token is missing", "`token_credential`"),
    ("null account", "accounts:\n  main:\n", "2:3", "accounts.main", "the account's token is missing", "give one of"),
    ("two tokens", "accounts:\n  main:\n    token: a\n    token_file: b\n", "4:5", "accounts.main.token_file", "`token_file` besides `token` on line 3", "keep one"),
    ("account name", "accounts: {a b: {token: x}}\n", "1:12", 'accounts."a b"', "is not allowed", "64 letters"),
    ("account is text", "accounts:\n  main: abc\n", "2:9", "accounts.main", "expected a mapping, got text", "key: value"),
    ("accounts is list", "accounts: [a]\n", "1:11", "accounts", "expected a mapping, got a list", "name:"),
    ("empty token", "accounts: {main: {token: ''}}\n", "1:26", "accounts.main.token", "empty", "write a value"),
    ("token with space", "accounts: {main: {token: a b}}\n", "1:26", "accounts.main.token", "the token has spaces", "paste it again"),
    ("long token", f"accounts: {{main: {{token: {'a' * 4097}}}}}\n", "1:26", "accounts.main.token", "longer than 4096", "pasted"),
    ("api version", "accounts: {main: {token: a, api_version: v4}}\n", "1:42", "accounts.main.api_version", "no version", "2026-03"),
    ("base url", "accounts: {main: {token: a, base_url: api.example}}\n", "1:39", "accounts.main.base_url", "not an absolute", "https://"),
    ("base url query", "accounts: {main: {token: a, base_url: 'https://x/?a'}}\n", "1:39", "accounts.main.base_url", "query", "leave out"),
    ("rate", "accounts: {main: {token: a, rate_limit: 100/s}}\n", "1:41", "accounts.main.rate_limit", "expected a rate", "did you mean 100/1s?"),
    ("rate bounds", "accounts: {main: {token: a, rate_limit: 0/1s}}\n", "1:41", "accounts.main.rate_limit", "out of bounds", "at least 1"),
    ("bare number", ACCOUNT + "polling: {timeout: 30}\n", "2:20", "polling.timeout", "expected a duration", "did you mean 30s?"),
    ("loose duration", ACCOUNT + "polling: {timeout: 2 minutes}\n", "2:20", "polling.timeout", "expected a duration", "did you mean 2m?"),
    ("duration bounds", ACCOUNT + "polling: {deadline: 9999d}\n", "2:21", "polling.deadline", "out of bounds", "from 1s to 365d"),
    ("no duration", ACCOUNT + "polling: {request_cost: 0s}\n", "2:25", "polling.request_cost", "out of bounds", "from 10ms"),
    ("section is text", ACCOUNT + "polling: fast\n", "2:10", "polling", "expected a mapping, got text", "key: value"),
    ("quoted number", ACCOUNT + 'polling: {concurrency: "4"}\n', "2:24", "polling.concurrency", "expected a whole number", "leave the quotes out: 4"),
    ("not whole", ACCOUNT + "polling: {concurrency: 1.5}\n", "2:24", "polling.concurrency", "expected a whole number", "from 1 to 1000"),
    ("number bounds", ACCOUNT + "delivery: {max_attempts: 1001}\n", "2:26", "delivery.max_attempts", "out of bounds", "from 1 to 1000"),
    ("huge number", ACCOUNT + f"delivery: {{max_attempts: {'9' * 5000}}}\n", "2:26", "delivery.max_attempts", "expected a whole number", "from 1 to 1000"),
    ("empty value", ACCOUNT + "polling: {timeout: }\n", "2:20", "polling.timeout", "the value is empty", "leave the key out"),
    ("mapping for value", ACCOUNT + "polling: {timeout: {a: b}}\n", "2:20", "polling.timeout", "expected a single value, got a mapping", "one value"),
    ("schedule", ACCOUNT + "delivery: {schedule: [0s, 5]}\n", "2:27", "delivery.schedule[1]", "expected a duration", "did you mean 5s?"),
    ("zero delay", ACCOUNT + "delivery: {schedule: [0s, 0s]}\n", "2:27", "delivery.schedule[1]", "only the first delay", "5s"),
    ("empty schedule", ACCOUNT + "delivery: {schedule: []}\n", "2:22", "delivery.schedule", "the schedule is empty", "list one"),
    ("on_unknown", ACCOUNT + "delivery: {on_unknown: retyr}\n", "2:24", "delivery.on_unknown", "expected retry or hold", "did you mean retry?"),
    ("retention", ACCOUNT + "retention: {dead: 30}\n", "2:19", "retention.dead", "expected a duration", "did you mean 30s?"),
    ("too soon", ACCOUNT + "retention: {dead: 5m}\n", "2:19", "retention.dead", "out of bounds", "from 1h to 36500d"),
    ("log level", ACCOUNT + "log: {level: loud}\n", "2:14", "log.level", "expected debug or info", "use one of: debug"),
    ("log level true", ACCOUNT + "log: {format: true}\n", "2:15", "log.format", "expected auto", "use one of"),
    ("store url", ACCOUNT + "store: postgresql://u:p@h/d\n", "2:8", "store", "not supported by this version", "SQLite"),
    ("store other url", ACCOUNT + "store: sqlite:///x\n", "2:8", "store", "not a URL", "path alone"),
    ("store folder", ACCOUNT + "store: var/\n", "2:8", "store", "is a folder", "var/notifier.db"),
    ("store name", ACCOUNT + f"store: {'a' * 5000}\n", "2:8", "store", "File name too long", "another path"),
    ("no url", ACCOUNT + "callbacks:\n  erp: {format: slack}\n", "3:3", "callbacks.erp", "the callback's URL is missing", "`url_file`"),
    ("relative url", ACCOUNT + "callbacks:\n  erp: {format: slack, url: /x}\n", "3:29", "callbacks.erp.url", "not an absolute", "in full"),
    ("ftp url", ACCOUNT + "callbacks:\n  erp: {format: slack, url: 'ftp://x/'}\n", "3:29", "callbacks.erp.url", "not an absolute", "in full"),
    ("bad port", ACCOUNT + "callbacks:\n  erp: {format: slack, url: 'http://x:99999/'}\n", "3:29", "callbacks.erp.url", "not an absolute", "in full"),
    ("bad v6", ACCOUNT + "callbacks:\n  erp: {format: slack, url: 'http://[::1/'}\n", "3:29", "callbacks.erp.url", "not an absolute", "in full"),
    ("fragment", ACCOUNT + "callbacks:\n  erp: {format: slack, url: 'https://x/#a'}\n", "3:29", "callbacks.erp.url", "fragment", "leave out the #"),
    ("userinfo", ACCOUNT + "callbacks:\n  erp: {format: slack, url: 'https://u:p@x/'}\n", "3:29", "callbacks.erp.url", "user or password", "headers"),
    ("url with space", ACCOUNT + "callbacks:\n  erp: {format: slack, url: 'https://x/ y'}\n", "3:29", "callbacks.erp.url", "spaces", "%20"),
    ("slack secret", ACCOUNT + f"callbacks:\n  ops: {{format: slack, url: https://x/, secret: {SIGNING}}}\n", "3:41", "callbacks.ops.secret", "slack signs nothing", "leave it out"),
    ("unknown format", ACCOUNT + "callbacks:\n  ops: {format: telegraph, url: https://x/}\n", "3:17", "callbacks.ops.format", "unknown format", "webhook, slack"),
    ("no whsec_", ACCOUNT + "callbacks:\n  erp: {url: https://x/, secret: abc}\n", "3:34", "callbacks.erp.secret", "begins with whsec_", "notifier callback secret"),
    ("not base64", ACCOUNT + "callbacks:\n  erp: {url: https://x/, secret: whsec_!}\n", "3:34", "callbacks.erp.secret", "not base64", "notifier callback secret"),
    ("short secret", ACCOUNT + "callbacks:\n  erp: {url: https://x/, secret: [whsec_QUFB]}\n", "3:35", "callbacks.erp.secret[0]", "3 bytes; 24 to 64", "notifier callback secret"),
    ("long secret", ACCOUNT + f"callbacks:\n  erp: {{url: https://x/, secret: whsec_{'QUFB' * 22}}}\n", "3:34", "callbacks.erp.secret", "66 bytes", "notifier callback secret"),
    ("public key", ACCOUNT + "callbacks:\n  erp: {url: https://x/, secret: whpk_QUFB}\n", "3:34", "callbacks.erp.secret", "begins a public key", "notifier callback secret --ed25519"),
    ("short private key", ACCOUNT + "callbacks:\n  erp: {url: https://x/, secret: whsk_QUFB}\n", "3:34", "callbacks.erp.secret", "3 bytes; 32 (seed) or 64", "notifier callback secret --ed25519"),
    ("no secrets", ACCOUNT + "callbacks:\n  erp: {url: https://x/, secret: []}\n", "3:34", "callbacks.erp.secret", "list of secrets is empty", "notifier callback secret"),
    ("event", ACCOUNT + "callbacks:\n  ops: {format: slack, url: https://x/, events: [task.faild]}\n", "3:50", "callbacks.ops.events[0]", "matches no event type", "did you mean `task.failed`?"),
    ("event group", ACCOUNT + "callbacks:\n  ops: {format: slack, url: https://x/, events: [tasks.*]}\n", "3:50", "callbacks.ops.events[0]", "matches no event type", "did you mean `task.*`?"),
    ("events is text", ACCOUNT + "callbacks:\n  ops: {format: slack, url: https://x/, events: task.*}\n", "3:49", "callbacks.ops.events", "expected a list, got text", "[one, two]"),
    ("no events", ACCOUNT + "callbacks:\n  ops: {format: slack, url: https://x/, events: []}\n", "3:49", "callbacks.ops.events", "no events", "list one"),
    ("reserved header", ACCOUNT + CALLBACK[:-3] + ", headers: {Webhook-ID: x}}}\n", "2:103", "callbacks.erp.headers.Webhook-ID", "set by notifier itself", "leave it out"),
    ("header name", ACCOUNT + CALLBACK[:-3] + ", headers: {'a b': x}}}\n", "2:103", 'callbacks.erp.headers."a b"', "can't be a header's name", "letters"),
    ("header twice", ACCOUNT + CALLBACK[:-3] + ", headers: {A: x, a: y}}}\n", "2:109", "callbacks.erp.headers.a", "already on line 2", "keep one"),
    ("header break", ACCOUNT + CALLBACK[:-3] + ', headers: {A: "x\\r\\ny"}}}\n', "2:106", "callbacks.erp.headers.A", "line breaks", "printable ASCII"),
    ("header null", ACCOUNT + CALLBACK[:-3] + ", headers: {A: }}}\n", "2:106", "callbacks.erp.headers.A", "empty", "leave the key out"),
    ("header source", ACCOUNT + CALLBACK[:-3] + ", headers: {A: {fil: x}}}}\n", "2:107", "callbacks.erp.headers.A.fil", "unknown key", "`file`"),
    ("header two", ACCOUNT + CALLBACK[:-3] + ", headers: {A: {value: x, file: y}}}}\n", "2:117", "callbacks.erp.headers.A.file", "besides `value`", "keep one"),
    ("unknown account", ACCOUNTS + "tasks: [{id: A, account: man}]\n", "2:26", "tasks[0].account", "unknown account", "did you mean `main`?"),
    ("which account", ACCOUNTS + "tasks:\n  - A\n", "3:5", "tasks[0]", "which account", "main, other"),
    ("unknown callback", ACCOUNT + CALLBACK + "tasks: [{id: A, callbacks: [epr]}]\n", "3:29", "tasks[0].callbacks[0]", "unknown callback", "did you mean `erp`?"),
    ("no callback at all", ACCOUNT + "tasks: [{id: A, callbacks: [erp]}]\n", "2:29", "tasks[0].callbacks[0]", "unknown callback", "there is none yet"),
    ("callback twice", ACCOUNT + CALLBACK + "tasks: [{id: A, callbacks: [erp, erp]}]\n", "3:34", "tasks[0].callbacks[1]", "listed twice", "keep one"),
    ("no callbacks for task", ACCOUNT + CALLBACK + "tasks: [{id: A, callbacks: []}]\n", "3:28", "tasks[0].callbacks", "nobody would be told", "every callback"),
    ("unknown kind", ACCOUNT + "tasks: [{id: A, kind: hubspot.file_imports}]\n", "2:23", "tasks[0].kind", "unknown kind", "hubspot.file_import"),
    ("task twice", ACCOUNT + "tasks:\n  - A\n  - {id: A, account: main}\n", "4:10", "tasks[1].id", "already on line 3", "keep one"),
    ("no id", ACCOUNT + "tasks:\n  - label: x\n", "3:5", "tasks[0]", "the task has no id", "add `id:`"),
    ("null id", ACCOUNT + "tasks: [{id: ~}]\n", "2:14", "tasks[0].id", "empty", "quote it"),
    ("null task", ACCOUNT + "tasks:\n  -\n", "3:4", "tasks[0]", "empty", "write a value"),
    ("empty id", ACCOUNT + "tasks: ['']\n", "2:9", "tasks[0]", "empty", "write a value"),
    ("long id", ACCOUNT + f"tasks: [{'a' * 513}]\n", "2:9", "tasks[0]", "513 characters", "pasted"),
    ("control in id", ACCOUNT + 'tasks: ["a\\tb"]\n', "2:9", "tasks[0]", "U+0009", "one line"),
    ("task is list", ACCOUNT + "tasks: [[a]]\n", "2:9", "tasks[0]", "expected a mapping, got a list", "key: value"),
    ("tasks is mapping", ACCOUNT + "tasks: {a: b}\n", "2:8", "tasks", "expected a list, got a mapping", "- entry"),
    ("unset", "accounts: {main: {token: '${NOPE}'}}\n", "1:26", "accounts.main.token", "$NOPE is not set", "set NOPE"),
    ("unset or empty", ACCOUNT + "store: ${NOPE:?where to?}\n", "2:8", "store", "$NOPE is not set: where to?", "set NOPE"),
    ("malformed", ACCOUNT + "store: ${NOPE\n", "2:8", "store", "not well-formed", "${NAME:-default}"),
    ("malformed name", ACCOUNT + "store: ${1X}\n", "2:8", "store", "not well-formed", "$$"),
    ("nested", ACCOUNT + "store: '${A:-${B}}'\n", "2:8", "store", "variable inside", "as written"),
    ("from variable", ACCOUNT + "polling: {timeout: '${HUBSPOT_TOKEN}'}\n", "2:20", "polling.timeout", 'got "${HUBSPOT_TOKEN}"', "250ms"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "place", "path", "message", "hint"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
def test_a_mistake_is_told_with_place_and_remedy(
    tmp_path: Path, text: str, place: str, path: str, message: str, hint: str
) -> None:
    """Each mistake alone gives one error with line, column, path and hint, and its line with a caret."""
    error = only_error(tmp_path, text)
    assert (f"{error.line or 1}:{error.column or 1}", error.path) == (place, path)
    assert message in error.message
    assert hint in (error.hint or "")
    assert error.line is None or (error.snippet is not None and "^" in error.snippet.caret)


def test_all_mistakes_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Shape, variables, files, names and duplicates are told in one run, sorted by line."""
    text = """\
accounts:
  main: {token: '${NOPE}', rate_limit: 3}
  other: {token_file: missing}
callbacks:
  ops: {format: slck, url: x, events: [tusk.*]}
tasks:
  - {id: A, account: mian, deadline: 5, callbacks: [osp]}
  - {id: B, account: main, deadlin: 5}
  - {id: B, account: main}
log: {level: lod}
"""
    errors = refused(tmp_path, text)
    assert [error.line for error in errors] == [2, 2, 3, 5, 5, 5, 7, 7, 7, 8, 9, 10]
    assert all(error.hint for error in errors)


def test_the_report_reads_well(tmp_path: Path) -> None:
    """Place, path, line, caret, hint, and a count at the end."""
    text = "accounts:\n  main:\n    token: secret-value\n    rate_limt: 5/1s  # a comment\n"
    with pytest.raises(Exception, match="error") as caught:
        loaded(tmp_path, text)
    path = tmp_path / "config.yaml"
    error, total = str(caught.value).split("\n", 1)[0:1], str(caught.value).splitlines()[-1]
    assert error == [f"{path}: warning: no callbacks: nobody is told when a task ends"]
    assert "\n".join(str(caught.value).splitlines()[2:-1]) == (
        f'{path}:4:5: error: unknown key "rate_limt"\n'
        "  at accounts.main.rate_limt\n"
        "  4 |     rate_limt: ****\n"
        "    |     ^^^^^^^^^\n"
        "  hint: did you mean `rate_limit`?"
    )
    assert total == f"{path}: 1 error, 1 warning"


WARNINGS = [
    ("no callbacks", ACCOUNT, "", "no callbacks", "add one"),
    ("operator events", ACCOUNT + CALLBACK, "callbacks", "account.*, callback.*, delivery.*", "add"),
    ("one group", GOOD.replace(", delivery.*", ""), "callbacks", "asks for delivery.*:", "add delivery.*"),
    ("unsigned", GOOD.replace(f"    secret: {SIGNING}\n", ""), "callbacks.erp", "unsigned", "whsec_"),
    ("clear text", GOOD.replace("https://", "http://"), "callbacks.erp.url", "http:// to another machine", "https://"),
    ("clear token", GOOD.replace("OKEN}", "OKEN}\n    base_url: http://hub.example"), "accounts.main.base_url", "read the token", "https://"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "path", "message", "hint"), [row[1:] for row in WARNINGS], ids=[row[0] for row in WARNINGS]
)
def test_a_warning_does_not_forbid_the_file(tmp_path: Path, text: str, path: str, message: str, hint: str) -> None:
    """What works but is likely wrong gives one warning, and the settings."""
    [warning] = loaded(tmp_path, text).warnings
    assert (warning.level, warning.path) == ("warning", path)
    assert message in warning.message
    assert hint in (warning.hint or "")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "[::1]", "localhost", "a.localhost"])
def test_http_to_this_machine_is_no_matter(tmp_path: Path, host: str) -> None:
    """Loopback needs no TLS."""
    assert loaded(tmp_path, GOOD.replace("https://erp.example.com", f"http://{host}"), ENVIRON).warnings == ()
