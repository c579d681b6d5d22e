"""What may stand as a URL."""

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from notifier.config.nodes import Path
from notifier.config.problems import Mistake, Report
from notifier.delivery.egress import CONFIGURED, Address

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


def check_proxy(text: str) -> None:
    """Refuse what is not the URL of an HTTP proxy, with or without user and password. Never quotes it.

    :raises Mistake: for another scheme, no host, a path, a query or fragment, spaces.
    """
    if text.partition(":")[0].lower().startswith("socks"):
        raise Mistake("SOCKS proxies can't be used", "name an http:// or https:// proxy")
    parts = _split(text)
    if parts.path not in {"", "/"} or "?" in text or "#" in text:
        raise Mistake("a proxy's URL has nothing after its port", "write http://proxy.example.com:3128")


def warn_of_refused_address(url: str, path: Path, report: Report) -> None:
    """Warn where a URL names an address that is never connected to. Names are judged when they are resolved."""
    address = _literal_address(urlsplit(url).hostname or "")
    refusal = CONFIGURED.refusal(address) if address else None
    if refusal:
        report.warn(path, f"nothing is ever sent to {address}: it is {refusal}", "name another machine")


def _literal_address(host: str) -> Address | None:
    """Read an address in every spelling that the system's resolver takes for one: 2852039166 is 169.254.169.254."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass  # no usual spelling
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


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
