"""The way to a callback in the configuration: certificates, proxy, credentials; every mistake with its place."""

import re
from pathlib import Path

import pytest
from certificates import Authority, encrypted
from configs import ENVIRON, SIGNING, loaded, only_error, refused, write

from notifier.config import Loaded, load, shown
from notifier.delivery.settings import Basic, Bearer, Callback
from notifier.secret import MASK, Secret, redactor
from notifier.transport import Tls, Transport

USER, PASSWORD = "canary-username", "canary-pass/word"


def text_of(*lines: str, url: str = "https://erp.example.com/hooks/hubspot", accounts: str = "") -> str:
    """Write a configuration whose callback has these lines more."""
    more = "".join(f"    {line}\n" for line in lines)
    return (
        f"accounts:\n  main:\n    token: ${{HUBSPOT_TOKEN}}\n{accounts}callbacks:\n  erp:\n    url: {url}\n"
        f"    secret: {SIGNING}\n    events: [task.*, account.*, callback.*, delivery.*]\n{more}"
    )


def callback_of(answer: Loaded) -> Callback:
    return answer.settings.callbacks["erp"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "certs").mkdir()
    return Authority(tmp_path / "certs")


def test_nothing_said(tmp_path: Path) -> None:
    """Public authorities, no certificate of ours, the environment's proxy, no Authorization."""
    callback = callback_of(loaded(tmp_path, text_of()))
    assert (callback.transport, callback.auth) == (Transport(), None)


def test_certificates(tmp_path: Path, authority: Authority) -> None:
    """Files are named relative to the configuration, and fit together."""
    authority.client()
    answer = loaded(
        tmp_path, text_of("tls: {ca_file: certs/ca.pem, cert_file: certs/client.pem, key_file: certs/client.key}")
    )
    certs = tmp_path / "certs"
    assert callback_of(answer).transport.tls == Tls(certs / "ca.pem", certs / "client.pem", certs / "client.key")
    assert answer.warnings == ()
    assert shown(answer.settings)["callbacks"]["erp"]["tls"] == {
        "ca_file": str(certs / "ca.pem"),
        "cert_file": str(certs / "client.pem"),
        "key_file": str(certs / "client.key"),
        "verify": True,
    }


def test_a_key_that_everybody_can_read(tmp_path: Path, authority: Authority) -> None:
    """A warning, as for every file with a secret."""
    _, key = authority.client()
    key.chmod(0o644)
    [warning] = loaded(tmp_path, text_of("tls: {cert_file: certs/client.pem, key_file: certs/client.key}")).warnings
    assert (warning.path, warning.hint) == ("callbacks.erp.tls.key_file", "chmod 640 client.key")


def test_unverified_is_warned_of(tmp_path: Path) -> None:
    """Loudly."""
    answer = loaded(tmp_path, text_of("tls:", "  verify: false"))
    [warning] = answer.warnings
    assert (warning.path, warning.line) == ("callbacks.erp.tls.verify", 10)
    assert "not verified" in warning.message
    assert callback_of(answer).transport.tls == Tls(verify=False)


# lines of the callback, the path and a part of the message of the one error
MISTAKES = [
    ("tls: {ca_file: certs/gone.pem}", "tls.ca_file", "No such file"),
    ("tls: {ca_file: certs}", "tls.ca_file", "Is a directory"),
    ("tls: {ca_file: certs/client.key}", "tls.ca_file", "holds no certificate"),
    ("tls: {cert_file: certs/client.pem}", "tls.cert_file", "holds no private key"),
    ("tls: {cert_file: certs/gone.pem, key_file: certs/client.key}", "tls.cert_file", "No such file"),
    ("tls: {cert_file: certs/client.pem, key_file: certs/gone.key}", "tls.key_file", "No such file"),
    ("tls: {cert_file: certs/client.pem, key_file: certs/other.key}", "tls.key_file", "not the certificate's"),
    ("tls: {cert_file: certs/client.pem, key_file: certs/client.locked}", "tls.key_file", "has a password"),
    ("tls: {key_file: certs/client.key}", "tls.key_file", "without a certificate"),
    ("tls: {ca_file: certs/ca.pem, verify: false}", "tls.ca_file", "believes everybody"),
    ("tls: {verify: 'false'}", "tls.verify", "expected true or false"),
    ("tls: {verify: no}", "tls.verify", "expected true or false"),
    ("tls: {cafile: x}", "tls.cafile", "unknown key"),
    ("tls: no", "tls", "expected a mapping"),
    ("proxy: socks5://127.0.0.1:1080", "proxy", "SOCKS proxies can't be used"),
    ("proxy: proxy.example.com:3128", "proxy", "not an absolute http"),
    ("proxy: http://proxy.example.com/path", "proxy", "nothing after its port"),
    ("proxy_file: gone", "proxy_file", "can't be read"),
    ("auth: {}", "auth", "what to show is missing"),
    ("auth: {bearer: a b}", "auth.bearer", "the token has spaces"),
    ("auth: {basic: {username: erp}}", "auth.basic", "the password is missing"),
    ("auth: {basic: {password: erp}}", "auth.basic", "the username is missing"),
    ("auth: {basic: {username: 'e:rp', password: erp}}", "auth.basic.username", "can't hold ':'"),
    ("auth: {basic: {username: a, password: b}, bearer: c}", "auth.basic", "besides `bearer`"),
    ("auth: {bearer: a, bearer_file: b}", "auth.bearer_file", "besides `bearer`"),
    ("auth: {digest: a}", "auth.digest", "unknown key"),
]


@pytest.mark.parametrize(("line", "path", "message"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_mistakes(tmp_path: Path, authority: Authority, line: str, path: str, message: str) -> None:
    """Each with its place; nothing of a proxy's URL, a token or a password is quoted."""
    _, key = authority.client()
    authority.client("other")
    encrypted(key, b"canary")
    errors = [each for each in refused(tmp_path, text_of(line)) if each.level == "error"]
    assert errors[0].path == f"callbacks.erp.{path}"
    assert message in errors[0].message
    assert errors[0].hint


def test_auth_and_a_header_of_that_name(tmp_path: Path) -> None:
    """Only one of them can be sent."""
    error = only_error(tmp_path, text_of("auth: {bearer: abc}", "headers: {authorization: Bearer def}"))
    assert error.path == "callbacks.erp.headers.authorization"


def test_secrets_in_their_three_spellings(tmp_path: Path) -> None:
    """Written, in a file, in a credential."""
    for name, content in {"token": "canary-token", "password": PASSWORD, "proxy": "http://u:p@127.0.0.1:1"}.items():
        (tmp_path / name).write_text(content + "\n")
        (tmp_path / name).chmod(0o600)
    environ = ENVIRON | {"CREDENTIALS_DIRECTORY": str(tmp_path), "TOKEN": "canary-token", "PASSWORD": PASSWORD}
    for spelling in ("bearer: ${TOKEN}", "bearer_file: token", "bearer_credential: token"):
        auth = callback_of(loaded(tmp_path, text_of("auth:", f"  {spelling}"), environ)).auth
        assert auth == Bearer(Secret("canary-token"))
        assert auth.header.reveal() == "Bearer canary-token"
    for spelling in ('password: "${PASSWORD}"', "password_file: password", "password_credential: password"):
        auth = callback_of(
            loaded(tmp_path, text_of("auth:", "  basic:", f"    username: {USER}", f"    {spelling}"), environ)
        ).auth
        assert auth == Basic(Secret(USER), Secret(PASSWORD))
    for spelling in ("proxy: http://u:p@127.0.0.1:1", "proxy_file: proxy", "proxy_credential: proxy"):
        assert callback_of(loaded(tmp_path, text_of(spelling), environ)).transport.proxy == Secret(
            "http://u:p@127.0.0.1:1"
        )


def test_what_is_secret_is_shown_nowhere(tmp_path: Path) -> None:
    """Not by config show, not in a report, and the redactor knows each of its forms."""
    proxy = "http://canary-proxy:canary%2Fproxied@proxy.example.com:3128"
    text = text_of("auth:", "  basic:", f"    username: {USER}", f"    password: {PASSWORD}", f"proxy: {proxy}")
    answer = loaded(tmp_path, text)
    printed = shown(answer.settings)["callbacks"]["erp"]
    assert printed["auth"] == {"basic": {"username": MASK, "password": MASK}}
    assert printed["proxy"] == "http://proxy.example.com:3128"
    clean = redactor(answer.settings.secret_values())
    callback = callback_of(answer)
    for form in (
        proxy,
        USER,
        PASSWORD,
        "canary-proxy",
        "canary/proxied",
        "canary%2Fproxied",
        callback.auth.header.reveal(),
    ):
        assert not re.search("canary|Y2FuYX", clean(f"<{form}>")), form
    problems = refused(tmp_path, text + "    unknown: 1\n")
    assert "canary" not in "".join(map(str, problems))
    assert "canary" not in repr(callback)


def test_commands_beside_the_daemon_read_no_files(tmp_path: Path) -> None:
    """A person's terminal has neither the daemon's variables nor the right to read its key."""
    text = text_of(
        "tls: {cert_file: '${NOWHERE}/gone.pem', key_file: gone.key}",
        "proxy: '${NOWHERE}'",
        "auth: {basic: {username: '${NOWHERE}', password: '${NOWHERE}'}}",
    )
    assert load(write(tmp_path, text), ENVIRON, secrets=False).settings.callbacks.keys() == {"erp"}
    assert len(refused(tmp_path, text)) >= 3


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "2852039166", "[::ffff:169.254.169.254]", "0.0.0.0", "100.100.100.200"]
)
def test_an_address_that_is_never_connected_to(tmp_path: Path, host: str) -> None:
    """Told before the first attempt, for a callback, a proxy and an account; not for what a proxy resolves."""
    bad = f"https://{host}/x"
    [warning] = loaded(tmp_path, text_of(url=f"'{bad}'")).warnings
    assert warning.path == "callbacks.erp.url"
    assert "nothing is ever sent to" in warning.message
    [warning] = loaded(tmp_path, text_of(f"proxy: 'http://{host}:1'")).warnings
    assert warning.path == "callbacks.erp.proxy"
    [warning] = loaded(tmp_path, text_of(accounts=f"    base_url: 'https://{host}'\n")).warnings
    assert warning.path == "accounts.main.base_url"
    assert loaded(tmp_path, text_of("proxy: http://127.0.0.1:3128", url=f"'{bad}'")).warnings == ()


def test_tls_without_tls(tmp_path: Path) -> None:
    """Settings that mean nothing to a plain URL are told; they are no error."""
    [warning] = loaded(tmp_path, text_of("tls: {verify: true}", url="http://localhost:1/x")).warnings
    assert warning.path == "callbacks.erp.tls"
