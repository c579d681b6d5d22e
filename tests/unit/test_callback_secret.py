"""``notifier callback secret`` and ``public-key``: what they make can be used as it comes."""

import base64
import json
import sys
from pathlib import Path

import pytest
from anyio import to_thread
from click.testing import CliRunner, Result
from configs import ENVIRON, GOOD, SIGNING, loaded, only_error
from documents import README, section, table
from nacl.signing import SigningKey

from notifier.cli import main, notifier
from notifier.config import shown
from notifier.secret import MASK
from notifier.simulator.receiver import Receiver

SEED = bytes(range(32))
PRIVATE = "whsk_" + base64.b64encode(SEED).decode()
PUBLIC = "whpk_" + base64.b64encode(bytes(SigningKey(SEED).verify_key)).decode()


def run(*words: str) -> Result:
    """Run a command of ``callback``."""
    return CliRunner().invoke(notifier, ["callback", *words], catch_exceptions=False)


def told_keys(command: str) -> list[str]:
    """Give the keys that the README tells of a command's JSON."""
    rows = dict(table(section(README, "### JSON"), "command | prints"))
    return rows[f"`{command}`"].replace("`", "").split()


def test_a_shared_secret(tmp_path: Path) -> None:
    """One line of 32 random bytes on stdout, nothing on stderr, and the configuration takes the file it is piped into."""
    made, again = run("secret"), run("secret")
    assert (made.exit_code, made.stderr) == (0, "")
    assert made.stdout != again.stdout
    assert len(base64.b64decode(made.stdout.strip().removeprefix("whsec_"), validate=True)) == 32
    (tmp_path / "signing").write_text(made.stdout)
    settings = loaded(tmp_path, GOOD.replace(f"secret: {SIGNING}", "secret_file: signing")).settings
    assert [secret.reveal() for secret in settings.callbacks["erp"].secrets] == [made.stdout.strip()]


def test_a_private_key(tmp_path: Path) -> None:
    """The private key alone on stdout, what to give to the receiver on stderr."""
    made = run("secret", "--ed25519")
    private, public = made.stdout.strip(), made.stderr.strip().rpartition(" ")[2]
    raw = base64.b64decode(private.removeprefix("whsk_"), validate=True)
    assert public == "whpk_" + base64.b64encode(bytes(SigningKey(raw[:32]).verify_key)).decode()
    assert private not in made.stderr
    (tmp_path / "signing").write_text(made.stdout)
    settings = loaded(tmp_path, GOOD.replace(f"secret: {SIGNING}", "secret_file: signing")).settings
    assert [secret.reveal() for secret in settings.callbacks["erp"].secrets] == [private]


@pytest.mark.parametrize(("words", "begins"), [([], None), (["--ed25519"], "whpk_")])
def test_as_json(words: list[str], begins: str | None) -> None:
    """Both keys in one document, and nothing beside it."""
    made = run("secret", *words, "--json")
    document = json.loads(made.stdout)
    assert list(document) == told_keys("callback secret")
    assert made.stderr == ""
    assert document["public_key"] is None if begins is None else document["public_key"].startswith(begins)


def test_the_public_key_of_a_callback(tmp_path: Path) -> None:
    """One line for each private key of its list, in order; shared secrets have none."""
    loaded(tmp_path, GOOD.replace(SIGNING, f"[{SIGNING}, {PRIVATE}]"))
    config = str(tmp_path / "config.yaml")
    runner = CliRunner(env=ENVIRON)
    assert runner.invoke(notifier, ["callback", "public-key", "erp", "-c", config]).stdout == f"{PUBLIC}\n"
    document = json.loads(runner.invoke(notifier, ["callback", "public-key", "erp", "-c", config, "--json"]).stdout)
    assert document == {"callback": "erp", "public_keys": [PUBLIC]}
    assert list(document) == told_keys("callback public-key")


async def test_a_receiver_with_the_public_key_verifies(tmp_path: Path) -> None:
    """A made-up event, sent while rotating from a shared secret to a private key, is accepted by either receiver."""
    for known in (PUBLIC, SIGNING):
        receiver = Receiver([known])
        async with receiver.serve() as url:
            text = GOOD.replace("https://erp.example.com/hooks/hubspot", f"{url}/hook")
            loaded(tmp_path, text.replace(SIGNING, f"[{PRIVATE}, {SIGNING}]"))
            words = ["callback", "test", "erp", "-c", str(tmp_path / "config.yaml")]
            sent = await to_thread.run_sync(lambda: CliRunner(env=ENVIRON).invoke(notifier, words))  # noqa: B023  # awaited here
        assert sent.exit_code == 0, sent.output
        [arrival] = receiver.arrivals
        assert arrival.verified
        versions = [entry.partition(",")[0] for entry in arrival.headers["webhook-signature"].split()]
        assert versions == ["v1a", "v1"]


def test_no_public_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A callback with shared secrets only, and one nobody knows: said, with exit code 1."""
    loaded(tmp_path, GOOD)
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-na1-0123456789")
    for name, says in (("erp", "has no private key"), ("nobody", "no callback 'nobody'")):
        with pytest.raises(SystemExit) as ended:
            main(["callback", "public-key", name, "-c", str(tmp_path / "config.yaml")])
        assert ended.value.code == 1
        assert says in capsys.readouterr().err


def test_without_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A private key in the configuration, and the wish for a new one, are told what to install."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    error = only_error(tmp_path, GOOD.replace(SIGNING, PRIVATE))
    assert (error.line, error.path) == (7, "callbacks.erp.secret")
    assert "cryptography, which is not installed" in error.message
    assert "pip install cryptography" in (error.hint or "")
    assert PRIVATE not in str(error)
    with pytest.raises(SystemExit) as ended:
        main(["callback", "secret", "--ed25519"])
    assert ended.value.code == 1
    assert "pip install cryptography" in capsys.readouterr().err


def test_a_private_key_is_shown_nowhere(tmp_path: Path) -> None:
    """It is known to the redactor, with and without its prefix, and masked in what is shown and reported."""
    settings = loaded(tmp_path, GOOD.replace(SIGNING, f"[{SIGNING}, {PRIVATE}]")).settings
    assert {PRIVATE, PRIVATE.removeprefix("whsk_")} <= settings.secret_values()
    shape = repr(settings) + repr(shown(settings))
    assert PRIVATE.removeprefix("whsk_") not in shape
    assert MASK in shape
    for misplaced in (f"secrt: {PRIVATE}", f"format: {PRIVATE}", f"{PRIVATE}: x", f"secret: x  # not {PRIVATE}"):
        error = only_error(tmp_path, GOOD.replace(f"    secret: {SIGNING}\n", f"    {misplaced}\n"))
        assert PRIVATE.removeprefix("whsk_") not in str(error) + repr(error)
