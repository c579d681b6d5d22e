"""Which addresses are out of bounds."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.egress import CONFIGURED, EgressPolicy, carried

PUBLIC_ONLY = EgressPolicy(allow_private=False)

NEVER = {
    "169.254.169.254": "link-local",
    "169.254.0.1": "link-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "febf::1": "link-local",
    "fd00:ec2::254": "a cloud's metadata service",
    "fd00:ec2::254%1": "a cloud's metadata service",
    "fd20:ce::254": "a cloud's metadata service",
    "100.100.100.200": "a cloud's metadata service",
    "168.63.129.16": "a cloud's metadata service",
    "192.0.0.192": "a cloud's metadata service",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    "255.255.255.255": "broadcast",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "::": "unspecified",
    # an IPv4 address inside an IPv6 one
    "::ffff:169.254.169.254": "link-local",
    "::ffff:0.0.0.0": "unspecified",
    "::ffff:0:a9fe:a9fe": "link-local",
    "::169.254.169.254": "link-local",
    "2002:a9fe:a9fe::1": "link-local",
    "2002:6464:64c8::": "a cloud's metadata service",
    "64:ff9b::169.254.169.254": "link-local",
    "64:ff9b::a83f:8110": "a cloud's metadata service",
    "64:ff9b:1::a9fe:a9fe": "link-local",
    "2001:0:a83f:8110::5601:5601": "link-local",  # Teredo: inverted
}  # fmt: skip

PRIVATE = (
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1",
    "240.0.0.1", "::1", "fc00::1", "fd00::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1",
    "64:ff9b::10.0.0.1", "2002:a00:1::", "2002:7f00:1::",
)  # fmt: skip

PUBLIC = ("1.1.1.1", "104.16.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1")


@pytest.mark.parametrize(("address", "why"), NEVER.items())
def test_what_is_never_connected_to(address: str, why: str) -> None:
    """Wherever the URL comes from; the reason is told."""
    assert CONFIGURED.refusal(ip_address(address)) == why
    assert PUBLIC_ONLY.refusal(ip_address(address)) == why


@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_are_for_the_configuration(address: str) -> None:
    """An operator's own machines are fine in the operator's own file, and nowhere else."""
    assert CONFIGURED.refusal(ip_address(address)) is None
    assert PUBLIC_ONLY.refusal(ip_address(address)) == "not public"


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_is_open(address: str) -> None:
    """Public addresses, also those of networks that only have IPv6."""
    assert CONFIGURED.refusal(ip_address(address)) is None
    assert PUBLIC_ONLY.refusal(ip_address(address)) is None


@given(st.ip_addresses(v=4))
def test_no_wrapping_changes_the_answer(address: IPv4Address) -> None:
    """Whatever is refused bare is refused inside IPv6, in each of the forms; the other way round, too."""
    number = int(address)
    forms = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0xFFFF << 48 | number),
        IPv6Address(0x64_FF9B << 96 | number),
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(0x2001_0000 << 96 | number ^ 0xFFFFFFFF),
    ]
    for policy in (CONFIGURED, PUBLIC_ONLY):
        for form in forms[:-1]:
            assert policy.refusal(form) == policy.refusal(address), form
    assert [carried(form) for form in forms] == [address] * len(forms)


@given(st.ip_addresses())
def test_every_address_has_an_answer(address: IPv4Address | IPv6Address) -> None:
    """Total; and what may be connected to at run time may be in the configuration as well."""
    if PUBLIC_ONLY.refusal(address) is None:
        assert CONFIGURED.refusal(address) is None
