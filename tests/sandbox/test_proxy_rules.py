"""Which hosts, addresses and proxies there are, without a network."""

import pytest

from app.errors import ConfigurationError
from app.sandbox.network import EgressProxy
from app.sandbox.proxy_addresses import may_be_reached
from app.sandbox.proxy_hosts import PUBLIC_REGISTRIES, AllowList, Target, mirrors, registry_hosts
from app.sandbox.proxy_upstream import Upstream, Upstreams


@pytest.mark.parametrize(
    ("entry", "target", "allowed"),
    [
        ("a.test", Target("a.test", 443, tunnel=True), True),
        ("A.Test.", Target("a.test", 443, tunnel=True), True),
        ("a.test", Target("a.test", 80, tunnel=False), True),
        ("a.test", Target("a.test", 80, tunnel=True), False),
        ("a.test", Target("a.test", 443, tunnel=False), False),
        ("a.test", Target("b.a.test", 443, tunnel=True), False),
        ("*.a.test", Target("b.a.test", 443, tunnel=True), True),
        ("*.a.test", Target("c.b.a.test", 443, tunnel=True), True),
        ("*.a.test", Target("a.test", 443, tunnel=True), False),
        ("*.a.test", Target("ba.test", 443, tunnel=True), False),
        ("a.test:8443", Target("a.test", 8443, tunnel=True), True),
        ("a.test:8443", Target("a.test", 8443, tunnel=False), True),
        ("a.test:8443", Target("a.test", 443, tunnel=True), False),
        ("10.0.0.1", Target("10.0.0.1", 443, tunnel=True), True),
        ("fd00::1", Target("fd00::1", 443, tunnel=True), True),
        ("[fd00:0::1]:8080", Target("fd00::1", 8080, tunnel=False), True),
    ],
)
def test_an_entry_allows_its_host_and_port_and_nothing_near(entry: str, target: Target, *, allowed: bool) -> None:
    assert AllowList(hosts=(entry,)).allows(target) is allowed


def test_only_what_is_named_in_full_by_the_operator_is_trusted() -> None:
    allowed = AllowList(hosts=("public.test",), trusted=("named.test", "*.wild.test"))
    targets = [Target(host, 443, tunnel=True) for host in ("public.test", "named.test", "a.wild.test")]
    assert [allowed.allows(target) for target in targets] == [True, True, True]
    assert [allowed.trusts(target) for target in targets] == [False, True, False]


@pytest.mark.parametrize(
    "entry",
    ["*", "*.", "https://a.test", "a.test/x", "a b", "*.10.0.0.1", "a.test:0", "a.test:port", "u@a.test", "ä.test"],
)  # fmt: skip
def test_an_entry_that_is_no_host_is_said_and_stops_the_start(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_NETWORK_HOSTS"):
        EgressProxy(hosts=(), trusted=(entry,))


def test_mirrors_are_the_hosts_of_the_variables_that_package_managers_read() -> None:
    environment = {
        "PIP_INDEX_URL": "https://user:password@pip.test/simple",
        "UV_INDEX": "inside=https://uv.test:8443/simple https://uv-2.test",
        "npm_config_@acme:registry": "http://npm.test:4873/",
        "GOPROXY": "https://go.test|https://go-2.test,direct",
        "CARGO_REGISTRIES_ACME_INDEX": "sparse+https://cargo.test/index/",
        "UV_FIND_LINKS": "/opt/wheels",
        "LANGFUSE_BASE_URL": "https://trace.test",
        "PIP_EXTRA_INDEX_URL": "https://[broken/",
    }
    found = ("pip.test", "uv.test:8443", "uv-2.test", "npm.test:4873", "go.test", "go-2.test", "cargo.test")
    assert mirrors(environment) == found
    assert registry_hosts(environment) == (*PUBLIC_REGISTRIES, *found)


@pytest.mark.parametrize(
    ("address", "public", "trusted"),
    [
        ("93.184.216.34", True, True),
        ("2606:4700::1", True, True),
        ("64:ff9b::5db8:d822", True, True),
        ("10.0.0.1", False, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("fd12::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("100.64.0.1", False, True),
        ("198.18.0.7", False, True),
        ("2001:db8::1", False, True),
        ("255.255.255.255", False, False),
        ("fec0::1", False, False),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("0.0.0.0", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("fe80::1%eth0", False, False),
    ],
)
def test_private_addresses_are_for_trusted_hosts_and_metadata_for_none(
    address: str, *, public: bool, trusted: bool
) -> None:
    assert may_be_reached(address, trusted=False) is public
    assert may_be_reached(address, trusted=True) is trusted


TUNNEL, PLAIN = Target("a.test", 443, tunnel=True), Target("a.test", 80, tunnel=False)


def test_the_operators_proxy_is_chosen_as_curl_does() -> None:
    both = Upstreams({"HTTPS_PROXY": "proxy.test:3128", "http_proxy": "https://p.test", "HTTP_PROXY": "http://no.test"})
    assert both.of(TUNNEL) == Upstream("proxy.test", 3128, tls=False)
    assert both.of(PLAIN) == Upstream("p.test", 443, tls=True)
    every = Upstreams({"ALL_PROXY": "http://all.test:1"})
    assert every.of(TUNNEL) == every.of(PLAIN) == Upstream("all.test", 1, tls=False)
    assert Upstreams({"HTTP_PROXY": "http://p.test"}).of(TUNNEL) is None
    for directly in ("*", "a.test", ".test", "x, a.test"):
        assert Upstreams({"ALL_PROXY": "http://p.test", "NO_PROXY": directly}).of(TUNNEL) is None


@pytest.mark.parametrize("url", ["socks5://user:topsecret@p.test", "http://user:topsecret@p.test:port", "http://"])
def test_a_proxy_that_cannot_be_used_is_said_without_its_value(url: str) -> None:
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY is no address") as raised:
        Upstreams({"HTTPS_PROXY": url})
    assert "topsecret" not in str(raised.value)


def test_the_credentials_of_the_operators_proxy_are_not_shown() -> None:
    upstream = Upstreams({"HTTPS_PROXY": "http://user:topsecret@p.test"}).of(TUNNEL)
    assert upstream is not None
    assert upstream.headers()
    assert "Basic" not in repr(upstream)
