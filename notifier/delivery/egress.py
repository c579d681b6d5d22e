"""Which addresses may be connected to. Pure; ``notifier.http`` asks for each address, after the name is resolved.

``ipaddress`` alone is not enough: on Python 3.11 ``is_private`` is false for 100.64.0.0/10, fec0::/10, and every
address that carries an IPv4 address inside (::ffff:0:0/96 apart).
"""

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

# Where clouds keep the credentials of their machines, as far as that is not link-local (169.254.169.254 is).
METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's wire server
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # Amazon
        "fd00:ec2::23",  # Amazon, for pods
        "fd20:ce::254",  # Google
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:42::42",  # Scaleway
        "fd00:a9fe:a9fe::1",  # Akamai
    )
)

_THIS_NETWORK = IPv4Network("0.0.0.0/8")  # RFC 1122, 3.2.1.3; Linux takes 0.0.0.0 for itself
_BROADCAST = IPv4Address("255.255.255.255")
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that is given out (RFC 4291, 2.4)

# Where the last 32 bits are an IPv4 address that is connected to in the end.
_CARRIERS = tuple(
    map(
        IPv6Network,
        (
            "::ffff:0:0/96",  # mapped (RFC 4291)
            "::/96",  # compatible (RFC 4291, deprecated)
            "::ffff:0:0:0/96",  # translated (RFC 2765)
            "64:ff9b::/96",  # NAT64 (RFC 6052)
            "64:ff9b:1::/48",  # NAT64 for local use (RFC 8215)
        ),
    )
)
_LAST_32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Which addresses are out of bounds.

    ``allow_private``: private networks and this machine itself are fine. They are for what the operator has written
    into the configuration; an address that comes from anybody else must be a public one.
    """

    allow_private: bool

    def refusal(self, address: Address) -> str | None:
        """Say what ``address`` is that it is refused; ``None``: it may be connected to."""
        plain = IPv6Address(int(address)) if isinstance(address, IPv6Address) else address  # without a zone: %eth0
        inner = carried(plain)
        return self._refusal(plain) or (None if inner is None else self._refusal(inner))

    def _refusal(self, address: Address) -> str | None:
        if address in METADATA:
            return "a cloud's metadata service"
        if address.is_link_local:
            return "link-local"
        if address.is_multicast:
            return "multicast"
        if address == _BROADCAST:
            return "broadcast"
        if address.is_unspecified or address in _THIS_NETWORK:
            return "unspecified"
        return None if self.allow_private or _is_public(address) else "not public"


# For URLs of the configuration.
CONFIGURED = EgressPolicy(allow_private=True)


def carried(address: Address) -> IPv4Address | None:
    """Give the IPv4 address inside an IPv6 address, where there is one.

    >>> str(carried(IPv6Address("64:ff9b::a9fe:a9fe")))
    '169.254.169.254'
    """
    if isinstance(address, IPv4Address) or address in {IPv6Address("::"), IPv6Address("::1")}:
        return None
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    inside = any(address in carrier for carrier in _CARRIERS)
    return IPv4Address(int(address) & _LAST_32) if inside else None


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global
    return carried(address) is not None or (address in _GLOBAL_UNICAST and address.is_global)
