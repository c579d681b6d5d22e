"""The registry of formats: what is in it is known everywhere, so to add one is a file, a line, a test and an example."""

from pathlib import Path
from typing import ClassVar

import pytest
from configs import ENVIRON, GOOD, loaded, only_error
from documents import README, ROOT, table

import notifier
from notifier.config.formats import spellings
from notifier.config.json_schema import json_schema
from notifier.config.schema import CallbackForm
from notifier.delivery.formats import FORMATS, Format, format_of
from notifier.delivery.outbox import owe
from notifier.delivery.preview import preview
from notifier.delivery.samples import CHECKED_AT, sample_event
from notifier.delivery.trial import first_claim
from notifier.model import Body, Event, EventType

PACKAGE = Path(notifier.__file__).parent
FORMAT_KEYS = {"template", "template_file", "content_type"}


class Telegram(Format):
    """All that a new format needs."""

    name: ClassVar[str] = "telegram"

    def render(self, event: Event) -> Body:
        return Body(f"{event.type} STOP".encode(), "text/plain")


@pytest.fixture
def telegram(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the one line to the registry."""
    monkeypatch.setitem(FORMATS, Telegram.name, Telegram())  # type: ignore[arg-type]  # a dict, to everybody else read-only


@pytest.mark.usefixtures("telegram")
def test_a_new_format_is_known_everywhere(tmp_path: Path) -> None:
    """Nothing but the registry was touched, and it is read, checked, told, rendered and sent."""
    text = GOOD.replace("    secret:", "    format: telegram\n    secret:")
    error = only_error(tmp_path, text)
    assert error.message == "the format telegram signs nothing"
    text = "\n".join(line for line in text.splitlines() if "secret:" not in line)
    callback = loaded(tmp_path, text).settings.callbacks["erp"]
    event = sample_event(EventType.TASK_FAILED, CHECKED_AT, "evt_1")
    [owed] = owe(event, {"erp": callback}, None)
    assert owed.body.content == b"task.failed STOP"
    seen = preview(callback, first_claim(event, callback, owed.body), 1)
    assert (seen.body, seen.headers["content-type"]) == (b"task.failed STOP", "text/plain")
    assert json_schema()["$defs"]["CallbackForm"]["properties"]["format"]["anyOf"][0]["enum"][-1] == "telegram"
    mistyped = only_error(tmp_path, text.replace("telegram", "telegramm"))
    assert mistyped.hint == f"did you mean `telegram`? There are: {', '.join(FORMATS)}"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_its_file_its_test_and_its_example(name: str) -> None:
    """Under its own name, and a row in the README."""
    assert FORMATS[name].name == name
    assert type(FORMATS[name]).__module__ == f"notifier.delivery.formats.{name}"
    assert (ROOT / "tests" / "unit" / f"test_format_{name}.py").exists()
    assert f"format: {name}" in (ROOT / "config.example.yaml").read_text("utf-8")
    assert f"`{name}`" in [row[0] for row in table(README, "format | what is sent")]


@pytest.mark.parametrize("name", ["team", "chat"])
def test_examples_that_are_commented_out_work(tmp_path: Path, name: str) -> None:
    """Without the # they are callbacks that the check accepts."""
    example = (ROOT / "config.example.yaml").read_text("utf-8")
    block = example[example.index(f"  # {name}:\n") :].split("\n\n")[0]
    lines = "".join(line.replace("# ", "", 1) + "\n" for line in block.splitlines())
    urls = {"TEAM_URL": "https://team.example.com/", "CHAT_URL": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV"}
    answer = loaded(tmp_path, GOOD.replace("tasks:", lines + "tasks:"), ENVIRON | urls)
    assert name in answer.settings.callbacks
    assert answer.warnings == ()


def test_every_setting_of_a_format_may_be_written() -> None:
    """The form of the file has the formats' keys, and no other key is a format's."""
    keys = {key for each in FORMATS.values() for key in spellings(each)}
    assert keys == FORMAT_KEYS
    assert keys <= {*CallbackForm.model_fields}


def test_formats_without_settings_are_themselves() -> None:
    """One object serves every callback, and renders once for all of them."""
    for name in ("webhook", "slack", "cloudevents", "apprise"):
        assert FORMATS[name].configured({}) is FORMATS[name]


def test_callbacks_set_alike_share_a_body(tmp_path: Path) -> None:
    """Two templates of the same text are rendered once, a third of another text has its own."""
    lines = "".join(
        f"  {name}: {{format: template, url: 'https://x.example/', content_type: text/plain, template: '{text}'}}\n"
        for name, text in (("a", "{{ type }}"), ("b", "{{ type }}"), ("c", "{{ title }}"))
    )
    callbacks = loaded(tmp_path, GOOD.replace("tasks:", lines + "tasks:")).settings.callbacks
    owed = owe(sample_event(EventType.TASK_FAILED, CHECKED_AT, "evt_1"), callbacks, ("a", "b", "c"))
    bodies = {each.callback: each.body for each in owed}
    assert bodies["a"] is bodies["b"]
    assert (bodies["a"].content, bodies["c"].content[:6]) == (b"task.failed", b"Import")
    assert format_of(callbacks["a"]) is format_of(callbacks["b"])
