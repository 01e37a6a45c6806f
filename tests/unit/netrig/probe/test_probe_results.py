"""Probe results as texts, parsing of answers, ICMP packets."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from netrig.probe import Outcome, Probe, Result, Spread, ask, http, icmp, tcp, udp
from netrig.probe.attempts import of_error
from netrig.probe.echo import checksum, read, request
from netrig.probe.model import answer_line, read_answer, spread_of


def result(probe: Probe, outcome: Outcome, seconds: float, detail: str = "", server: str = "") -> Result:
    return Result("node1", probe, outcome, seconds, detail, server)


def test_an_unexpected_result_is_described_in_one_line() -> None:
    silent = result(tcp("10.0.0.3", 80), Outcome.SILENCE, 1.0)
    assert silent.unexpected(Outcome.REPLY) == "node1 → 10.0.0.3:80/tcp: expected reply, got silence after 1.0 s"
    refused = result(udp("10.0.0.3", 53), Outcome.REFUSED, 0.00123, "Connection refused")
    assert (
        refused.unexpected(Outcome.SILENCE)
        == "node1 → 10.0.0.3:53/udp: expected silence, got refused after 1.2 ms (Connection refused)"
    )
    assert refused.unexpected(Outcome.REFUSED) == ""


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        (icmp("10.0.0.1"), "10.0.0.1/icmp"),
        (http("10.0.0.1", 8080, path="/x"), "http://10.0.0.1:8080/x"),
        (ask("10.0.0.1", 80), "10.0.0.1:80/tcp"),
    ],
)
def test_probes_are_described(probe: Probe, text: str) -> None:
    assert str(probe) == text


def test_a_spread_counts_servers_and_failures() -> None:
    probe = ask("10.0.0.1", 80)
    spread = spread_of(
        [result(probe, Outcome.REPLY, 0.1, server=name) for name in ("b", "a", "b")]
        + [result(probe, Outcome.REFUSED, 0.1), result(probe, Outcome.SILENCE, 1.0)]
    )
    assert spread == Spread({"a": 1, "b": 2}, refused=1, silent=1)
    assert spread.share("b") == 0.4
    assert str(spread) == "5 probes; a: 1, b: 2, refused: 1, silent: 1"


def test_the_answer_of_a_responder_is_distinguished_from_others() -> None:
    assert read_answer(answer_line("bee", "10.0.0.1", 4711)) == ("bee", "10.0.0.1", 4711)
    assert read_answer(b"SSH-2.0-OpenSSH_9.2\r\n") == ("SSH-2.0-OpenSSH_9.2", "", 0)


def test_errors_that_are_not_about_the_other_side_are_raised() -> None:
    assert of_error(errno.ECONNREFUSED).outcome is Outcome.REFUSED
    assert of_error(errno.EPERM).outcome is Outcome.SILENCE
    with pytest.raises(OSError):
        of_error(errno.EADDRNOTAVAIL)


def ip(protocol: int, source: str, payload: bytes) -> bytes:
    return (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
        + socket.inet_aton(source)
        + socket.inet_aton("10.0.0.1")
        + payload
    )


def test_echo_replies_and_errors_are_matched_with_their_request() -> None:
    sent = request(7, 9, b"abc")
    assert checksum(sent) == 0
    reply = read(ip(1, "10.0.0.2", b"\0" + sent[1:]), 7)
    assert reply is not None
    assert (reply[0], reply[1].outcome) == (9, Outcome.REPLY)
    error = read(ip(1, "10.0.0.9", struct.pack("!BBHI", 3, 13, 0, 0) + ip(1, "10.0.0.1", sent)), 7)
    assert error is not None
    assert (error[0], error[1].detail) == (9, "administratively prohibited, says 10.0.0.9")


@pytest.mark.parametrize(
    "other", [ip(1, "10.0.0.2", b"\0\0\0\0\0\1\0\1"), ip(1, "10.0.0.2", b"\3"), request(7, 9, b"")]
)
def test_other_packets_match_no_request(other: bytes) -> None:
    assert read(other, 7) is None
