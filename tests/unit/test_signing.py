"""Signatures, against published vectors, the reference library and libsodium."""

import base64
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
from standardwebhooks import Webhook, WebhookVerificationError

from notifier.delivery.signing import (
    PrivateKey,
    SharedKey,
    UnusableSecret,
    new_private_key,
    new_secret,
    public_keys,
    read_secret,
    sign,
)
from notifier.secret import Secret

PUBLISHED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

# The pair with which the asymmetric signature in the specification's example was made, as its authors' tests have it.
PUBLISHED_PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLISHED_PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="

# RFC 8032, section 7.1, tests 1, 2, 3 and SHA(abc): private key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]

keys = st.binary(min_size=24, max_size=64)
seeds = st.binary(min_size=32, max_size=32)
texts = st.text(st.characters(exclude_categories=["Cs"]))


def spell(key: bytes, prefix: str = "whsec_") -> str:
    """Write a key as a signing secret."""
    return prefix + base64.b64encode(key).decode()


def headers(signature: str, timestamp: int) -> dict[str, str]:
    """Give what a receiver sees."""
    return {"webhook-id": "evt_1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def sodium_verifies(public: str, content: bytes, entry: str) -> bool:
    """Ask libsodium whether ``v1a,…`` is the signature of ``content`` under ``whpk_…``."""
    version, _, signature = entry.partition(",")
    assert version == "v1a"
    try:
        VerifyKey(base64.b64decode(public.removeprefix("whpk_"))).verify(content, base64.b64decode(signature))
    except BadSignatureError:
        return False
    return True


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        (PUBLISHED, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        (
            PUBLISHED_PRIVATE,
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
        ),
    ],
    ids=["v1", "v1a"],
)
def test_published_vectors(secret: str, expected: str) -> None:
    """The specification's own examples come out."""
    body = b'{"test": 2432232314}'
    assert sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [Secret(secret)]) == expected


@given(key=keys, body=texts)
def test_reference_library_verifies(key: bytes, body: str) -> None:
    """The reference library accepts any body of ours, and no other body under the same signature."""
    now = int(time.time())
    seen = headers(sign("evt_1", now, body.encode(), [Secret(spell(key))]), now)
    Webhook(spell(key)).verify(body.encode(), seen, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(spell(key)).verify((body + " ").encode(), seen, json_parse=False)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032, ids=["1", "2", "3", "abc"])
def test_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    """The vectors of the standard behind ``v1a``: public keys and signatures."""
    key = read_secret(spell(bytes.fromhex(seed), "whsk_"))
    assert isinstance(key, PrivateKey)
    assert key.public == spell(bytes.fromhex(public), "whpk_")
    assert key.sign(bytes.fromhex(message)) == "v1a," + base64.b64encode(bytes.fromhex(signature)).decode()


@given(seed=seeds, body=st.binary())
def test_libsodium_verifies(seed: bytes, body: bytes) -> None:
    """An independent implementation makes the same key pair, accepts our signature, and that of no other body."""
    secret = Secret(spell(seed, "whsk_"))
    [public] = public_keys([secret])
    assert public == spell(bytes(SigningKey(seed).verify_key), "whpk_")
    entry = sign("evt_1", 1700000000, body, [secret])
    assert sodium_verifies(public, b"evt_1.1700000000." + body, entry)
    assert not sodium_verifies(public, b"evt_1.1700000000." + body + b" ", entry)


def test_another_id_or_time_does_not_verify() -> None:
    """The id and the time are signed too."""
    now = int(time.time())
    seen = headers(sign("evt_1", now, b"{}", [Secret(PUBLISHED)]), now)
    for change in ({"webhook-id": "evt_2"}, {"webhook-timestamp": str(now - 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(PUBLISHED).verify(b"{}", seen | change)


@given(old=keys, new=keys)
def test_rotation(old: bytes, new: bytes) -> None:
    """While rotating, receivers with either secret verify."""
    now = int(time.time())
    signature = sign("evt_1", now, b"{}", [Secret(spell(new)), Secret(spell(old))])
    assert len(signature.split(" ")) == 2
    for key in (old, new):
        assert Webhook(spell(key)).verify(b"{}", headers(signature, now)) == {}


@pytest.mark.parametrize("shared_first", [True, False])
def test_rotation_from_one_kind_to_the_other(shared_first: bool) -> None:
    """Both kinds stand in one header, in the order of the list, and each receiver finds its own."""
    now = int(time.time())
    secrets = [Secret(PUBLISHED), Secret(PUBLISHED_PRIVATE)]
    signature = sign("evt_1", now, b"{}", secrets if shared_first else secrets[::-1])
    assert [entry.partition(",")[0] for entry in signature.split(" ")] == (
        ["v1", "v1a"] if shared_first else ["v1a", "v1"]
    )
    assert Webhook(PUBLISHED).verify(b"{}", headers(signature, now)) == {}
    [entry] = [entry for entry in signature.split(" ") if entry.startswith("v1a,")]
    assert sodium_verifies(PUBLISHED_PUBLIC, f"evt_1.{now}.{{}}".encode(), entry)


def test_body_need_not_be_text() -> None:
    """The bytes are signed as they are, whatever they are."""
    assert sign("evt_1", 1, b"\xff\x00", [Secret(PUBLISHED)]) != sign("evt_1", 1, b"\xfe\x00", [Secret(PUBLISHED)])


@given(key=keys)
def test_secret_is_read(key: bytes) -> None:
    """A secret gives its key back, padded or not."""
    assert read_secret(spell(key)) == SharedKey(key)
    assert read_secret(spell(key).rstrip("=")) == SharedKey(key)


@given(seed=seeds)
def test_private_key_is_read(seed: bytes) -> None:
    """The seed alone, or with its public key, padded or not, is one key; it is written with its public key."""
    made = new_private_key(seed)
    both = spell(seed + bytes(SigningKey(seed).verify_key), "whsk_")
    assert made.spelled() == both
    for text in (both, both.rstrip("="), spell(seed, "whsk_"), spell(seed, "whsk_").rstrip("=")):
        read = read_secret(text)
        assert isinstance(read, PrivateKey)
        assert (read.public, read.spelled()) == (made.public, both)


def test_new_secret_is_one() -> None:
    """What is made can be read."""
    assert read_secret(new_secret(bytes(range(32)))) == SharedKey(bytes(range(32)))


def test_public_keys() -> None:
    """Those of the private keys alone, in their order."""
    assert public_keys([Secret(PUBLISHED), Secret(PUBLISHED_PRIVATE)]) == (PUBLISHED_PUBLIC,)
    assert public_keys([Secret(PUBLISHED)]) == ()


@pytest.mark.parametrize(
    ("text", "complaint", "remedy"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_", "callback secret"),
        ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_", "callback secret"),
        (spell(b"k" * 23), "has 23 bytes", "callback secret"),
        (spell(b"k" * 65), "has 65 bytes", "callback secret"),
        ("whsec_", "has 0 bytes", "callback secret"),
        ("whsec_MfKQ9r8GKYqrTwjU-_8ILPZIo2LaLaSw", "not base64", "callback secret"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "not base64", "callback secret"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwé", "not base64", "callback secret"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA", "not base64", "callback secret"),
        ("", "begins with whsec_", "callback secret"),
        (spell(b"k" * 31, "whsk_"), "has 31 bytes", "--ed25519"),
        (spell(b"k" * 48, "whsk_"), "has 48 bytes", "--ed25519"),
        (spell(b"k" * 65, "whsk_"), "has 65 bytes", "--ed25519"),
        ("whsk_MfKQ9r8GKYqrTwjU-_8ILPZIo2LaLaSw", "not base64", "--ed25519"),
        (spell(bytes(64), "whsk_"), "don't belong together", "pasted"),
        (PUBLISHED_PUBLIC, "public key", "private key"),
    ],
)
def test_bad_secret_is_refused_unseen(text: str, complaint: str, remedy: str) -> None:
    """What is wrong and what to do is said; the value is never shown, not even by what is chained to it."""
    with pytest.raises(UnusableSecret, match=complaint) as caught:
        read_secret(text)
    assert remedy in caught.value.remedy
    shown = str(caught.value) + caught.value.remedy
    assert not any(part in shown for part in ("MfKQ9r8", "a2tra2", "AAAA", "1SiA4"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("text", [PUBLISHED, PUBLISHED_PRIVATE])
def test_keys_show_nothing(text: str) -> None:
    """Neither kind has its value in its ``repr``."""
    assert repr(read_secret(text)) in {"SharedKey()", "PrivateKey()"}


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A private key is refused with the command that helps; shared secrets need nothing."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    with pytest.raises(UnusableSecret, match="needs the Python package cryptography") as caught:
        read_secret(PUBLISHED_PRIVATE)
    assert "pip install cryptography" in caught.value.remedy
    with pytest.raises(UnusableSecret):
        new_private_key(bytes(32))
    assert sign("evt_1", 1, b"{}", [Secret(PUBLISHED)]).startswith("v1,")


def test_shared_secrets_load_no_library() -> None:
    """Who does not use private keys does not wait for their library."""
    script = (
        "import sys; from notifier.delivery.signing import sign; from notifier.secret import Secret\n"
        f"sign('evt_1', 1, b'', [Secret({PUBLISHED!r})]); print('cryptography' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout == "False\n"
