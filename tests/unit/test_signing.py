"""Signatures, against the specification's vector and the reference library."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from notifier.delivery.signing import read_secret, sign
from notifier.secret import Secret

PUBLISHED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

keys = st.binary(min_size=24, max_size=64)
texts = st.text(st.characters(exclude_categories=["Cs"]))


def spell(key: bytes) -> str:
    """Write a key as a signing secret."""
    return "whsec_" + base64.b64encode(key).decode()


def headers(signature: str, timestamp: int) -> dict[str, str]:
    """Give what a receiver sees."""
    return {"webhook-id": "evt_1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def test_published_vector() -> None:
    """The specification's own example comes out."""
    signature = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [Secret(PUBLISHED)])
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(key=keys, body=texts)
def test_reference_library_verifies(key: bytes, body: str) -> None:
    """The reference library accepts any body of ours, and no other body under the same signature."""
    now = int(time.time())
    seen = headers(sign("evt_1", now, body.encode(), [Secret(spell(key))]), now)
    Webhook(spell(key)).verify(body.encode(), seen, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(spell(key)).verify((body + " ").encode(), seen, json_parse=False)


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


def test_body_need_not_be_text() -> None:
    """The bytes are signed as they are, whatever they are."""
    assert sign("evt_1", 1, b"\xff\x00", [Secret(PUBLISHED)]) != sign("evt_1", 1, b"\xfe\x00", [Secret(PUBLISHED)])


@given(key=keys)
def test_secret_is_read(key: bytes) -> None:
    """A secret gives its key back, padded or not."""
    assert read_secret(spell(key)) == key
    assert read_secret(spell(key).rstrip("=")) == key


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_"),
        ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_"),
        (spell(b"k" * 23), "holds 23"),
        (spell(b"k" * 65), "holds 65"),
        ("whsec_", "holds 0"),
        ("whsec_MfKQ9r8GKYqrTwjU-_8ILPZIo2LaLaSw", "not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwé", "not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA", "not base64"),
        ("", "begins with whsec_"),
    ],
)
def test_bad_secret_is_refused_unseen(text: str, complaint: str) -> None:
    """A message says what is wrong and never shows the value, nor does anything chained to it."""
    with pytest.raises(ValueError, match=complaint) as caught:
        read_secret(text)
    assert "MfKQ9r8" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
