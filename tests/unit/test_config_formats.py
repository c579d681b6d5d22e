"""The settings of formats: which format has which, where a template's mistake stands, what Apprise needs."""

import importlib.util
from pathlib import Path

import pytest
from configs import ENVIRON, GOOD, SIGNING, loaded, only_error, refused, write

from notifier.config import load, shown
from notifier.delivery.formats import format_of
from notifier.delivery.samples import CHECKED_AT, sample_event
from notifier.model import EventType
from notifier.secret import redactor

TEAM = """\
  team:
    format: template
    url: https://team.example.com/hook
"""


def with_callback(*lines: str) -> str:
    """Give a good file with one callback more, of the format ``template`` unless the lines are a whole one."""
    return GOOD.replace("tasks:", TEAM + "".join(f"    {line}\n" for line in lines) + "tasks:")


def apprise(url: str, *lines: str) -> str:
    """Give a good file with one callback more, of the format ``apprise``."""
    text = with_callback(*lines).replace("format: template", "format: apprise")
    return text.replace("https://team.example.com/hook", url)


BLOCK = ("template: |", "  {", '    "text": {{ title | tojson }},', '    "file": {{ data.nope | tojson }}', "  }")


def test_a_template_in_the_file(tmp_path: Path) -> None:
    """The text as it stands; the content type is JSON unless said otherwise; nothing is warned of."""
    answer = loaded(tmp_path, with_callback(*BLOCK[:-2], '    "a": 1', "  }"))
    team = answer.settings.callbacks["team"]
    text = '{\n  "text": {{ title | tojson }},\n  "a": 1\n}\n'
    assert team.options == {"template": text, "content_type": "application/json"}
    assert answer.warnings == ()
    sample = sample_event(EventType.TASK_CANCELED, CHECKED_AT, "evt_1")
    assert b"was canceled" in format_of(team).render(sample).content
    assert shown(answer.settings)["callbacks"]["team"]["template"] == text
    assert shown(answer.settings)["callbacks"]["team"]["content_type"] == "application/json"
    assert "template" not in shown(answer.settings)["callbacks"]["erp"]


def test_a_template_in_a_file(tmp_path: Path) -> None:
    """Found beside the configuration; no variables are replaced in it."""
    (tmp_path / "team.j2").write_text("${HOME} {{ type }}")
    callback = loaded(tmp_path, with_callback("template_file: team.j2", "content_type: text/plain")).settings.callbacks[
        "team"
    ]
    assert callback.options == {"template": "${HOME} {{ type }}", "content_type": "text/plain"}


def test_a_mistake_in_a_block_has_its_own_line_and_column(tmp_path: Path) -> None:
    """Of the file, not of the template."""
    text = with_callback(*BLOCK)
    error = only_error(tmp_path, text)
    line = text.splitlines()[(error.line or 0) - 1]
    assert line.strip().startswith('"file"')
    assert line[(error.column or 0) - 1 :].startswith("nope")
    assert error.path == "callbacks.team.template"
    assert error.message == "'dict object' has no attribute 'nope' (for task.succeeded)"
    assert error.hint is not None
    assert "default('')" in error.hint


def test_a_mistake_in_a_line(tmp_path: Path) -> None:
    """It stands where the value begins."""
    error = only_error(tmp_path, with_callback('template: "{{ nope }}"'))
    assert (error.line, error.column, error.message) == (12, 15, "'nope' is undefined")


def test_a_mistake_in_a_file_names_the_file_too(tmp_path: Path) -> None:
    """The configuration's line points to the name, the message into the file."""
    (tmp_path / "team.j2").write_text("a\n b {{ nope }}")
    error = only_error(tmp_path, with_callback("template_file: team.j2"))
    assert error.message == f"{tmp_path / 'team.j2'}:2:7: 'nope' is undefined"
    assert (error.line, error.path) == (12, "callbacks.team.template_file")


def test_only_events_that_come_are_tried(tmp_path: Path) -> None:
    """A template for tasks need not fit what the operator is told, until it is to be told."""
    template = 'template: "{{ data.task_id | tojson }}"'
    loaded(tmp_path, with_callback(template))
    error = only_error(tmp_path, with_callback(template, 'events: ["*"]'))
    assert error.message.endswith("(for account.rejected)")


@pytest.mark.parametrize(
    ("lines", "message", "path"),
    [
        ((), "the template is missing", "callbacks.team"),
        (("template: a", "template_file: b"), "`template_file` besides `template`: exactly one of them may be given", "callbacks.team.template_file"),
        (("template_file: nowhere.j2",), 'the file "nowhere.j2" can\'t be read: No such file or directory', "callbacks.team.template_file"),
        (("template: x", "content_type: json"), "not a media type", "callbacks.team.content_type"),
        (("template: '{\"a\": {{ title }}}'",), "what it makes is not JSON: Expecting value: line 1 column 7 (for task.succeeded)", "callbacks.team.template"),
        (("template: '\"${HOME}\"'",), "$HOME would be sent and stored with every event", "callbacks.team.template"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, lines: tuple[str, ...], message: str, path: str) -> None:
    """Each with its place and a remedy."""
    error = only_error(tmp_path, with_callback(*lines))
    assert (error.message, error.path) == (message, path)
    assert error.hint


def test_files_that_are_no_templates(tmp_path: Path) -> None:
    """Not text, or endless."""
    (tmp_path / "bytes.j2").write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in only_error(tmp_path, with_callback("template_file: bytes.j2")).message
    (tmp_path / "long.j2").write_text("x" * 70_000)
    assert "longer than 65536 characters" in only_error(tmp_path, with_callback("template_file: long.j2")).message
    assert "is longer than" in only_error(tmp_path, with_callback("template_file: /dev/zero")).message


def test_settings_of_another_format_are_refused(tmp_path: Path) -> None:
    """A template without its format would never be used."""
    text = GOOD.replace("    secret:", "    template: x\n    content_type: text/plain\n    secret:")
    messages = [problem.message for problem in refused(tmp_path, text)]
    assert messages == ["`template` is for the format template", "`content_type` is for the format template"]


def test_commands_that_only_look_try_no_template(tmp_path: Path) -> None:
    """``notifier status`` works although an event's sample does not fit; it still needs a template that compiles."""
    path = write(tmp_path, with_callback('template: "{{ data.nope }}"'))
    assert load(path, ENVIRON, secrets=False).settings.callbacks["team"].options["template"] == "{{ data.nope }}"


def test_apprise_urls(tmp_path: Path) -> None:
    """Apprise says whether it knows them; they are secrets but for their scheme."""
    answer = loaded(tmp_path, apprise("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"))
    team = answer.settings.callbacks["team"]
    assert (team.format, team.url.reveal()) == ("apprise", "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js")
    assert shown(answer.settings)["callbacks"]["team"]["url"] == "discord://****"
    assert redactor(answer.settings.secret_values())("JHMHI8qBe7bk2ZwO5U711o3dV_js") == "****"
    slack = loaded(tmp_path, apprise("slack://bot@T1JJ3T3L2A1B/A1BRTD4JDA1B/TIiajkdnlazkcOXrIdevi7FQ"))
    assert redactor(slack.settings.secret_values())("for T1JJ3T3L2A1B") == "for ****"
    assert answer.warnings == ()
    for url in ("nonsense://4174216298/x", "discord://", "plain text"):
        error = only_error(tmp_path, apprise(f'"{url}"'))
        assert (error.message, error.path) == ("not a URL that Apprise can use", "callbacks.team.url")
        assert "4174216298" not in str(error)


def test_a_readable_apprise_url_is_warned_of(tmp_path: Path) -> None:
    """It is a secret that stands in a file that everybody can read."""
    text = apprise("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js").replace(f"    secret: {SIGNING}\n", "")
    path = write(tmp_path, text)
    path.chmod(0o644)
    assert "callbacks.team.url" in [problem.path for problem in load(path, ENVIRON).warnings]


def test_apprise_sends_no_headers_of_ours(tmp_path: Path) -> None:
    """What would be ignored is refused."""
    error = only_error(tmp_path, apprise("json://127.0.0.1/x", "headers: {X-A: b}"))
    assert error.message == "`headers` means nothing to the format apprise"
    signed = only_error(tmp_path, apprise("json://127.0.0.1/x", "secret: x"))
    assert signed.message == "the format apprise signs nothing"


def test_without_apprise_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named, at the format's line; the URL is not complained of."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "apprise" else real(name, *more)
    )
    error = only_error(tmp_path, apprise("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"))
    assert (error.path, error.message) == (
        "callbacks.team.format",
        "the format apprise needs a package that is not installed",
    )
    assert error.hint == "install it beside notifier: pip install 'notifier[apprise]'"
