"""The lines between the agent and the process of cluster DNS."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from netstack.dns import feed
from netstack.dns.cluster import Endpoint, Port, Service, Settings

PORTS = (Port("http", "tcp", 80), Port("", "udp", 53))
LINES = [
    Settings("cluster.local", IPv4Address("10.96.0.10"), (IPv4Network("10.96.0.0/16"),), ("192.0.2.1", "2001:db8::1")),
    Service("default", "web", IPv4Address("10.96.0.20"), ports=PORTS),
    Service("default", "db", endpoints=(Endpoint(IPv4Address("10.244.0.5"), "db-0", PORTS),)),
    Service("default", "out", external_name="example.com"),
    feed.Remove(("default", "web")),
    feed.Complete(),
    feed.Stop(),
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_read_as_it_was_written(line: feed.Line) -> None:
    text = feed.encode(line)
    assert text.count(b"\n") == 1
    assert feed.decode(text) == line


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"1", b'{"put":1}', b'{"other":{}}', b'{"remove":["a"]}', b'{"settings":{}}', b"\xff"]
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        feed.decode(text)
