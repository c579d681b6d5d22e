"""Secrets: three spellings each, read strictly, shown nowhere."""

import json
import os
from pathlib import Path

import pytest
from configs import ENVIRON, GOOD, SIGNING, loaded, only_error, refused, write

from notifier.config import load, shown
from notifier.config.problems import InvalidConfig
from notifier.secret import MASK, redactor

CANARY = "pat-na1-c4n4ry-0123456789"
OTHER = "whsec_" + "QkJC" * 8


def _account(spelling: str) -> str:
    return f"accounts:\n  main:\n    {spelling}\n"


def _secret_file(folder: Path, name: str, content: str | bytes, mode: int = 0o600) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [CANARY, CANARY + "\n", CANARY + "\r\n", "\ufeff" + CANARY + "\n"])
def test_a_token_from_a_file(tmp_path: Path, content: str) -> None:
    """A relative name starts at the configuration's folder; the line's end is no part of the token."""
    _secret_file(tmp_path, "token", content)
    assert loaded(tmp_path, _account("token_file: token")).settings.accounts["main"].token.reveal() == CANARY


def test_a_token_from_a_credential(tmp_path: Path) -> None:
    """systemd's folder of credentials; its files may be as readable as systemd likes."""
    _secret_file(tmp_path, "hubspot", CANARY, 0o444)
    answer = loaded(
        tmp_path, _account("token_credential: hubspot"), {"CREDENTIALS_DIRECTORY": str(tmp_path), "HOME": "/h"}
    )
    assert answer.settings.accounts["main"].token.reveal() == CANARY
    assert [warning.path for warning in answer.warnings] == [""]


def test_every_secret_of_a_callback_from_files(tmp_path: Path) -> None:
    """URL, several signing secrets and header values."""
    _secret_file(tmp_path, "url", "https://erp.example/x\n")
    _secret_file(tmp_path, "signing", f"{SIGNING}\n\n  {OTHER}  \n")
    _secret_file(tmp_path, "key", "Bearer abc\n")
    text = "callbacks:\n  erp: {url_file: url, secret_file: signing, headers: {A: {file: key}, B: {credential: key}}}\n"
    callback = loaded(
        tmp_path, _account("token: x") + text, {"CREDENTIALS_DIRECTORY": str(tmp_path), "HOME": "/h"}
    ).settings.callbacks["erp"]
    assert callback.url.reveal() == "https://erp.example/x"
    assert [secret.reveal() for secret in callback.secrets] == [SIGNING, OTHER]
    assert {name: value.reveal() for name, value in callback.headers.items()} == {"A": "Bearer abc", "B": "Bearer abc"}


# (content of the file, part of the message, part of the hint)
FILES: list[tuple[str | bytes, str, str]] = [
    ("", "is empty", "write the secret"),
    ("\n\n", "is empty", "write the secret"),
    (f"{CANARY}\nsecond\n", "holds 2 lines", "alone"),
    (b"\xff\xfe", "not UTF-8", "plain text"),
    (b"a" * 70_000, "longer than 65536 bytes", "alone"),
    (f"{CANARY} x", "the token has spaces", "paste it again"),
]


@pytest.mark.parametrize(
    ("content", "message", "hint"), FILES, ids=["empty", "blank", "lines", "latin", "large", "space"]
)
def test_a_file_that_is_no_secret(tmp_path: Path, content: str | bytes, message: str, hint: str) -> None:
    """Told at the key that names the file, without what it holds."""
    _secret_file(tmp_path, "token", content)
    error = only_error(tmp_path, _account("token_file: token"))
    assert (error.line, error.column, error.path) == (3, 17, "accounts.main.token_file")
    assert message in error.message
    assert hint in (error.hint or "")
    assert CANARY not in str(error)


# (spelling, environment, part of the message, part of the hint)
SOURCES: list[tuple[str, dict[str, str], str, str]] = [
    ("token_file: missing", {}, '"missing" can\'t be read: No such file', "create it"),
    ("token_file: .", {}, '"." can\'t be read: Is a directory', "readable file"),
    ('token_file: "a\\0b"', {}, "can't be read", "readable file"),
    ("token_credential: x", {}, "$CREDENTIALS_DIRECTORY is not set", "LoadCredential=x:"),
    ("token_credential: x", {"CREDENTIALS_DIRECTORY": "/nowhere"}, 'the credential "x" can\'t be read', "create it"),
    ("token_credential: ../x", {"CREDENTIALS_DIRECTORY": "/"}, "without slashes", "LoadCredential="),
    ("token_credential: ..", {"CREDENTIALS_DIRECTORY": "/"}, "without slashes", "LoadCredential="),
    (f"token_file: {CANARY}", {}, '"****" can\'t be read', "create it"),
    ("token_file: ${F}", {"F": CANARY}, '"${F}" can\'t be read', "create it"),
]


@pytest.mark.parametrize(("spelling", "environ", "message", "hint"), SOURCES, ids=[row[0] for row in SOURCES])
def test_a_source_that_is_not_there(
    tmp_path: Path, spelling: str, environ: dict[str, str], message: str, hint: str
) -> None:
    """Told with the remedy; a secret in the place of a file's name is not repeated."""
    error = only_error(tmp_path, _account(spelling), {"HOME": "/h", **environ})
    assert message in error.message
    assert hint in (error.hint or "")
    assert CANARY not in str(error)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_files_without_permission(tmp_path: Path) -> None:
    """Neither a secret's file nor the configuration itself."""
    _secret_file(tmp_path, "token", CANARY, 0o000)
    assert "Permission denied" in only_error(tmp_path, _account("token_file: token")).message
    path = write(tmp_path, GOOD)
    path.chmod(0o000)
    with pytest.raises(InvalidConfig, match="Permission denied"):
        load(path, ENVIRON)


def test_a_secret_everyone_can_read_is_warned_of(tmp_path: Path) -> None:
    """A world-readable secret file, and a world-readable configuration with a secret in it."""
    _secret_file(tmp_path, "token", CANARY, 0o644)
    warnings = loaded(tmp_path, _account("token_file: token")).warnings
    assert [(warning.path, warning.hint) for warning in warnings if warning.path] == [
        ("accounts.main.token_file", "chmod 640 token")
    ]

    path = write(tmp_path, _account(f"token: {CANARY}"))
    path.chmod(0o644)
    [warning] = [warning for warning in load(path, ENVIRON).warnings if warning.path]
    assert (warning.line, warning.path) == (3, "accounts.main.token")
    assert f"chmod 640 {path}" in (warning.hint or "")


@pytest.mark.parametrize("header", ["X-Environment: production", "X-Environment: {value: production}"])
def test_an_ordinary_value_may_be_read_by_everyone(tmp_path: Path, header: str) -> None:
    """A variable, an ordinary URL and an ordinary header are no secrets in the file."""
    path = write(tmp_path, GOOD.replace(f"secret: {SIGNING}", f"secret: ${{S}}\n    headers: {{{header}}}"))
    path.chmod(0o644)
    assert load(path, {**ENVIRON, "S": SIGNING}).warnings == ()


@pytest.mark.parametrize(
    "line", ["url: https://hooks.slack.com/services/T/B/x", "url: https://x/\n    headers: {Authorization: abc}"]
)
def test_a_slack_url_or_an_authorization_is_a_secret(tmp_path: Path, line: str) -> None:
    """Literal ones in a file everyone can read are warned of."""
    text = f"accounts: {{main: {{token: '${{HUBSPOT_TOKEN}}'}}}}\ncallbacks:\n  ops:\n    format: slack\n    {line}\n"
    path = write(tmp_path, text)
    path.chmod(0o644)
    assert "every user of this machine" in " ".join(warning.message for warning in load(path, ENVIRON).warnings)


# Each has a mistake and the canary in a place where a report could show it.
LEAKS = [
    f"accounts: {{main: {{tokn: {CANARY}}}}}\n",
    f"accounts: {{main: {{token: '{CANARY} x'}}}}\n",
    f"accounts: {{main: {{token: {CANARY}, {CANARY}: x}}}}\n",
    f"accounts: {{main: {{token: [{CANARY}]}}}}\n",
    f"accounts: {{main: {{token: {{a: {CANARY}}}}}}}\n",
    f"accounts: {{main: {CANARY}}}\n",
    f"accounts: {CANARY}\n",
    f"{CANARY}\n",
    f"accounts:\n  main:\n    token: \"{CANARY}\n",
    f"accounts:\n  main:\n    token: {CANARY}: x\n",
    f"accounts:\n  main:\n\ttoken: {CANARY}\n",
    f"accounts:\n  main:\n    token {CANARY}\n    x: y\n",
    f"accounts:\n  main:\n    token: |\n      {CANARY}\n     {CANARY}\n",
    f"accounts: {{main: {{token: &{CANARY} x}}}}\n",
    f"accounts: {{main: {{token: !{CANARY} x}}}}\n",
    f"accounts: {{main: {{token: *{CANARY}}}}}\n",
    f"accounts: {{main: {{token: {CANARY}}}}}\nlogg: x  # not {CANARY}\n",
    f"accounts: {{main: {{token: {CANARY}, rate_limit: {CANARY}}}}}\n",
    f"accounts: {{main: {{token: x}}}}\nstore: postgresql://u:{CANARY}@h/d\n",
    f"accounts: {{main: {{token: x, base_url: 'https://u:{CANARY}@h/'}}}}\n",
    f"accounts: {{main: {{token: x}}}}\ncallbacks: {{a: {{url: 'https://x/{CANARY} y', headers: {{Authorization: \"{CANARY}\\n\"}}}}}}\n",
    f"accounts: {{main: {{token: x}}}}\ncallbacks: {{a: {{url: 'https://x/', secret: {CANARY}}}}}\n",
    "accounts: {main: {token: x}}\npolling: {timeout: '${HUBSPOT_TOKEN}'}\nlog: {level: '${HUBSPOT_TOKEN}'}\nstore: 'postgresql://${HUBSPOT_TOKEN}'\n",
    "accounts: {main: {token: x}}\ntasks: [{id: A, account: '${HUBSPOT_TOKEN}', kind: '${HUBSPOT_TOKEN}', callbacks: ['${HUBSPOT_TOKEN}', '${HUBSPOT_TOKEN}']}]\n",
]  # fmt: skip


@pytest.mark.parametrize("text", LEAKS, ids=range(len(LEAKS)))
def test_no_report_shows_a_secret(tmp_path: Path, text: str) -> None:
    """Neither message, path, hint, nor the line with the caret."""
    problems = refused(tmp_path, text, {**ENVIRON, "HUBSPOT_TOKEN": CANARY})
    assert CANARY not in "".join(map(str, problems)) + repr(problems)
    assert "c4n4ry" not in "".join(map(str, problems))


def test_the_settings_know_their_secrets(tmp_path: Path) -> None:
    """Everything the redactor must mask, and nothing of it in repr or in what is shown."""
    url = "https://erp.example/hooks/abc?key=def"
    text = GOOD.replace("https://erp.example.com/hooks/hubspot", url).replace(
        "    events", "    headers: {X-Key: value-of-header}\n    events"
    )
    settings = loaded(tmp_path, text).settings
    secrets = settings.secret_values()
    assert secrets >= {
        ENVIRON["HUBSPOT_TOKEN"],
        url,
        "/hooks/abc?key=def",
        SIGNING,
        SIGNING.removeprefix("whsec_"),
        "value-of-header",
    }
    for shape in (repr(settings), repr(shown(settings))):
        assert not any(secret in shape for secret in secrets - {url})
        assert MASK in shape


def test_a_short_path_is_no_secret(tmp_path: Path) -> None:
    """Masking /hook would garble every line."""
    settings = loaded(tmp_path, GOOD.replace("/hooks/hubspot", "/hook")).settings
    assert "/hook" not in settings.secret_values()


def test_without_secrets_none_is_looked_for(tmp_path: Path) -> None:
    """Commands beside the daemon have neither its environment nor its credentials."""
    text = """\
accounts: {main: {token_credential: x}, other: {token: '${NOPE}'}}
callbacks: {erp: {url_file: missing, secret: ['${NOPE}'], headers: {A: '${NOPE}', B: {file: missing}}}}
store: ${DB}
"""
    settings = load(write(tmp_path, text), {"DB": "x.db"}, secrets=False).settings
    assert [account.token.reveal() for account in settings.accounts.values()] == ["", ""]
    assert (settings.callbacks["erp"].url.reveal(), settings.store) == ("", tmp_path / "x.db")
    with pytest.raises(InvalidConfig, match="NOPE is not set"):
        load(write(tmp_path, text), {"DB": "x.db"})


@pytest.mark.parametrize(
    "quoted",
    [
        'can"ary/AB+cd&ef=',
        json.dumps('can"ary/AB+cd&ef='),
        json.dumps('can"ary/AB+cd&ef=').replace("/", "\\/"),
        "can&quot;ary/AB+cd&amp;ef=",
        "can%22ary%2FAB%2Bcd%26ef%3D",
        "can%22ary/AB%2Bcd%26ef%3D",
    ],
)
def test_a_secret_is_known_however_it_is_quoted(tmp_path: Path, quoted: str) -> None:
    """Receivers quote headers in JSON, pages and URLs: each spelling is masked."""
    text = GOOD.replace("    events", """    headers: {X-Key: 'can"ary/AB+cd&ef='}\n    events""")
    settings = loaded(tmp_path, text).settings
    assert "ary" not in redactor(settings.secret_values())(f"you sent {quoted}!")
