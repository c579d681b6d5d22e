"""docs/transport.md tells the truth about reasons and addresses."""

import re
from ipaddress import ip_address

from documents import DOCUMENTS, inline_code, section, table

from notifier.delivery.egress import CONFIGURED, METADATA
from notifier.delivery.sender import MOST_ANSWER_READ
from notifier.http import Reach, Reason
from notifier.http.connection import LONGEST_HEAD

PAGE = DOCUMENTS["docs/transport.md"]


def test_every_reason_is_told() -> None:
    """The vocabulary is fixed: what is added to it or taken out is in the table."""
    rows = [*table(section(PAGE, "## Why there was no answer"), "reason | reach | what happened")]
    assert {name.strip("`") for name, _, _ in rows} == set(Reason)
    assert {reach for _, reaches, _ in rows for reach in reaches.split(", ")} == set(Reach)


def test_every_metadata_address_is_told() -> None:
    """As far as it is not link-local."""
    told = section(PAGE, "## Addresses that are never connected to")
    assert {str(address) for address in METADATA} <= set(re.findall(r"[0-9a-f:.]+[0-9a-f]", told))
    assert CONFIGURED.refusal(ip_address("169.254.169.254"))


def test_the_bounds_are_told() -> None:
    """64 KiB of body and of head."""
    told = section(PAGE, "## What an answer may cost")
    assert (MOST_ANSWER_READ, LONGEST_HEAD) == (64 * 1024, 64 * 1024)
    assert told.count("64 KiB") == 2
    assert "NO_PROXY" in inline_code(PAGE)
