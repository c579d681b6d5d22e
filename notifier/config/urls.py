"""What may stand as a URL."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from notifier.config.problems import Mistake

LONGEST_URL = 4096

_REFUSED = re.compile(r"[\x00-\x20\x7f-\x9f\\]|\s")


def check_url(text: str) -> None:
    """Refuse what is not an absolute URL that a request can be sent to. Never quotes it: a URL may be a secret.

    :raises Mistake: for no http(s), no host, user and password, a fragment, spaces.
    """
    parts = _split(text)
    if parts.username is not None or parts.password is not None:
        raise Mistake("the URL holds a user or password", "send it as a header: headers: {Authorization: Basic …}")
    if "#" in text:
        raise Mistake("the URL has a fragment, which is never sent", "leave out the # and what follows it")


def check_base_url(text: str) -> None:
    """Refuse what paths can't be added to.

    :raises Mistake: as ``check_url`` does, and for a query.
    """
    check_url(text)
    if "?" in text:
        raise Mistake("the base URL has a query", "leave out the ? and what follows it")


def _split(text: str) -> SplitResult:
    if len(text) > LONGEST_URL:
        raise Mistake(f"the URL is longer than {LONGEST_URL} characters", "check what was pasted here")
    if _REFUSED.search(text):
        raise Mistake("the URL has spaces, backslashes or control characters", "percent-encode them: %20 for a space")
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise Mistake(
            "not an absolute http:// or https:// URL with a host", "write it in full: https://example.com/hooks"
        )
    return parts


def is_in_the_clear(url: str) -> bool:
    """Tell whether what is sent to ``url`` can be read on its way: http to another machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
