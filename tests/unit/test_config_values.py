"""What a right file becomes: defaults, variables, durations, where the store is."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from configs import ENVIRON, GOOD, SIGNING, loaded, only_error
from hypothesis import given
from hypothesis import strategies as st

from notifier.config.units import duration, parse_duration, rate, rate_text, span_text
from notifier.delivery.settings import DEFAULT_EVENTS, DEFAULT_SCHEDULE, OnUnknown
from notifier.hubspot.account import DEFAULT_RATE_LIMIT
from notifier.model import RateLimit, TaskKey, WatchRequest
from notifier.polling.settings import PollingSettings
from notifier.store.settings import Retention

SLACK = "  ops: {format: slack, url: 'https://hooks.slack.com/services/T/B/x'}\n"


def test_the_least_a_file_can_say(tmp_path: Path) -> None:
    """An account is enough; everything else has its default."""
    settings = loaded(tmp_path, "accounts: {main: {token: abc}}").settings
    account = settings.accounts["main"]
    assert (account.token.reveal(), account.base_url, account.api_version) == ("abc", "https://api.hubapi.com", "v3")
    assert account.rate_limit == DEFAULT_RATE_LIMIT
    assert (settings.callbacks, settings.tasks, settings.schedule) == ({}, (), DEFAULT_SCHEDULE)
    assert settings.polling == PollingSettings()
    assert settings.retention == Retention()
    assert (settings.log.level, settings.log.format) == ("info", "auto")
    with pytest.raises(FrozenInstanceError):
        settings.store = tmp_path  # type: ignore[misc]  # that it is refused is the point


def test_everything_a_file_can_say(tmp_path: Path) -> None:
    """Each key arrives in the settings."""
    text = f"""\
accounts:
  main: {{token: abc, base_url: 'https://api.example/x/', api_version: 2026-03, rate_limit: 190/10s}}
callbacks:
  erp:
    format: webhook
    url: https://erp.example/hook?k=1
    secret: [{SIGNING}, {SIGNING[:-4]}QUFD]
    headers: {{X-Number: 012, X-Flag: true, X-Mapping: {{value: a b}}}}
    events: [task.failed, "*.dead"]
    timeout: 1m500ms
    on_unknown: hold
    concurrency: 0x10
    rate: 5/1s
    max_attempts: 3
tasks:
  - {{id: A, account: main, kind: hubspot.file_import, label: 012, callbacks: [erp], deadline: 1h30m}}
polling: {{request_cost: 250ms, deadline: 2d, timeout: 5s, concurrency: 2, lost_after_answers: 3, lost_after: 1m}}
delivery: {{max_attempts: 7, on_unknown: hold, schedule: [0s, 1s], timeout: 9s}}
store: state/x.db
retention: {{delivered: 12h, dead: 400d}}
log: {{level: debug, format: json}}
"""
    settings = loaded(tmp_path, text).settings
    account, callback = settings.accounts["main"], settings.callbacks["erp"]
    assert (account.base_url, account.api_version, account.rate_limit) == (
        "https://api.example/x",
        "2026-03",
        RateLimit(190, 10.0),
    )
    assert callback.url.reveal() == "https://erp.example/hook?k=1"
    assert [secret.reveal() for secret in callback.secrets] == [SIGNING, SIGNING[:-4] + "QUFD"]
    assert {name: value.reveal() for name, value in callback.headers.items()} == {
        "X-Number": "012",
        "X-Flag": "true",
        "X-Mapping": "a b",
    }
    assert (callback.events, callback.timeout, callback.on_unknown) == (("task.failed", "*.dead"), 60.5, OnUnknown.HOLD)
    assert (callback.concurrency, callback.rate, callback.max_attempts) == (16, RateLimit(5, 1.0), 3)
    assert settings.tasks == (WatchRequest(TaskKey("main", "hubspot.file_import", "A"), "012", ("erp",), 5400.0),)
    assert settings.polling == PollingSettings(0.25, 172_800.0, 5.0, 2, 3, 60.0)
    assert (settings.schedule, settings.store) == ((0.0, 1.0), tmp_path / "state" / "x.db")
    assert (settings.log.level, settings.log.format) == ("debug", "json")
    assert settings.retention == Retention(delivered=43_200.0, dead=400 * 86_400.0)


def test_delivery_gives_callbacks_their_defaults(tmp_path: Path) -> None:
    """A callback that says nothing takes them; attempts are as many as the schedule has delays."""
    text = GOOD + "delivery: {schedule: [0s, 1s, 2s], timeout: 9s, on_unknown: hold}\n"
    callback = loaded(tmp_path, text).settings.callbacks["erp"]
    assert (callback.max_attempts, callback.timeout, callback.on_unknown) == (3, 9.0, OnUnknown.HOLD)
    assert (callback.rate, callback.concurrency) == (None, 4)
    assert loaded(tmp_path, GOOD).settings.callbacks["erp"].max_attempts == len(DEFAULT_SCHEDULE)


def test_slack_is_told_slowly(tmp_path: Path) -> None:
    """One message a second and one in flight, unless said otherwise; nothing is signed, and nothing warned of it."""
    answer = loaded(tmp_path, GOOD.replace("tasks:", SLACK + "tasks:"))
    callback = answer.settings.callbacks["ops"]
    assert (callback.rate, callback.concurrency, callback.secrets, callback.events) == (
        RateLimit(1, 1.0),
        1,
        (),
        DEFAULT_EVENTS,
    )
    assert answer.warnings == ()


def test_a_task_takes_what_it_does_not_say(tmp_path: Path) -> None:
    """The only account, every callback, the polling's deadline."""
    [task] = loaded(tmp_path, GOOD + "polling: {deadline: 3h}\n").settings.tasks
    assert task == WatchRequest(TaskKey("main", "hubspot.file_import", "AAAA"), None, None, 10_800.0)


def test_sections_without_entries_are_empty(tmp_path: Path) -> None:
    """Commenting out every entry of a section is no mistake."""
    text = "accounts: {main: {token: abc}}\ncallbacks:\ntasks:\npolling:\ndelivery:\nlog:\n"
    settings = loaded(tmp_path, text).settings
    assert (settings.callbacks, settings.tasks, settings.schedule) == ({}, (), DEFAULT_SCHEDULE)


# (what is written, what it becomes)
FILLED = [
    ("${X}", "x"),
    ("a ${X} ${Y} b", "a x y z b"),
    ("${EMPTY:-fallback}", "fallback"),
    ("${UNSET:-fall: back}", "fall: back"),
    ("${X:-other}", "x"),
    ("${X:?is needed}", "x"),
    ("$${X}", "${X}"),
    ("$$$${X}", "$${X}"),
    ("$${X} ${X}", "${X} x"),
    ("$X $ $5", "$X $ $5"),
    ("${UNSET:-}x", "x"),
    ("${INJECT}", "a: b, - c # d]}"),
    ("${UNSET:-a$$b}", "a$b"),
]


@pytest.mark.parametrize(("written", "expected"), FILLED, ids=[written for written, _ in FILLED])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_variables_are_filled_in_inside_one_value(tmp_path: Path, written: str, expected: str, quote: str) -> None:
    """Whatever a variable holds, it is text inside its value and never structure."""
    environ = {**ENVIRON, "X": "x", "Y": "y z", "EMPTY": "", "INJECT": "a: b, - c # d]}"}
    text = GOOD.replace("  - AAAA", f"  - {{id: A, label: {quote}{written}{quote}}}")
    assert loaded(tmp_path, text, environ).settings.tasks[0].label == expected


def test_a_line_break_in_a_variable_begins_nothing(tmp_path: Path) -> None:
    """It stays in its value, where a label can't have one."""
    text = GOOD.replace("  - AAAA", "  - {id: A, label: '${X}'}")
    error = only_error(tmp_path, text, {**ENVIRON, "X": "a\nlog: {level: debug}"})
    assert (error.path, error.message) == ("tasks[0].label", "a label can't hold the control character U+000A")


def test_a_variable_that_is_not_utf8(tmp_path: Path) -> None:
    """The system's bytes come as surrogates; they are refused, not passed on."""
    error = only_error(tmp_path, GOOD, {**ENVIRON, "HUBSPOT_TOKEN": "a\udcff"})
    assert (error.path, error.message) == ("accounts.main.token", "the value of $HUBSPOT_TOKEN is not UTF-8")


def test_keys_and_comments_are_no_place_for_variables(tmp_path: Path) -> None:
    """A key stays as written, and a comment needs no variable."""
    text = GOOD.replace("    secret:", "    headers: {$X: '1'}  # ${UNSET}\n    secret:")
    assert list(loaded(tmp_path, text, {**ENVIRON, "X": "y"}).settings.callbacks["erp"].headers) == ["$X"]


def test_numbers_and_durations_from_variables(tmp_path: Path) -> None:
    """What a variable holds is read by the same rules, between quotes or not."""
    text = GOOD + "polling: {concurrency: '${N}', timeout: '${T}'}\n"
    polling = loaded(tmp_path, text, {**ENVIRON, "N": "7", "T": "1m"}).settings.polling
    assert (polling.concurrency, polling.timeout) == (7, 60.0)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/notifier:/x", "HOME": "/h"}, "/var/lib/notifier/notifier.db"),
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/notifier/notifier.db"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/notifier/notifier.db"),
    ],
)
def test_where_the_store_is(tmp_path: Path, environ: dict[str, str], expected: str) -> None:
    """systemd's state folder, else that of the XDG specification, which ignores relative paths."""
    assert str(loaded(tmp_path, "accounts: {a: {token: b}}", environ).settings.store) == expected


def test_a_store_in_the_home_folder(tmp_path: Path) -> None:
    """A leading ~ is the home folder, as everywhere."""
    settings = loaded(tmp_path, "accounts: {a: {token: b}}\nstore: ~/x.db", {"HOME": "/h"}).settings
    assert str(settings.store) == "/h/x.db"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("1d1h1m1s1ms", 90_061.001),
        ("0s", 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """Each unit, and units together, largest first."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "1.5h", "30m1h", "1h1h", "-5s", "5 s", "5S", "\u0665s", "1h30", "5s\n", "9" * 20 + "s"]
)
def test_what_is_no_duration(text: str) -> None:
    """Refused with an example or a guess."""
    with pytest.raises(ValueError, match=r"expected a duration, got .*; .*"):
        parse_duration(text)


@given(st.integers(0, 10**12))
def test_durations_are_written_as_they_are_read(milliseconds: int) -> None:
    """span_text and duration undo each other."""
    assert duration(span_text(milliseconds / 1000), "") == pytest.approx(milliseconds / 1000, abs=1e-4)


def test_rates_are_written_as_they_are_read() -> None:
    """rate_text and rate undo each other."""
    assert rate_text(rate("100/1m30s", "")) == "100/1m30s"
    assert rate_text(None) is None


def test_ten_thousand_tasks_load_soon(tmp_path: Path) -> None:
    """A large file is read in a few seconds at the worst; here in one."""
    task = "  - id: A{}\n    account: main\n    label: 'L {}'\n    callbacks: [erp]\n    deadline: 2h\n"
    text = GOOD + "".join(task.format(number, number) for number in range(10_000))
    assert len(loaded(tmp_path, text).settings.tasks) == 10_001
