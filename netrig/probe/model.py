"""Probes and their results as values, and the texts for failed tests. No input or output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

DEFAULT_TIMEOUT_S: Final = 1.0
QUESTION: Final = b"?\n"
KEEP: Final = b"+\n"
"""The question for a connection that stays open: after the answer, the server sends back everything."""
ANSWER_BYTES: Final = 512
_ANSWER_WORDS: Final = 4
_SIGN: Final = "sampan"


class Protocol(StrEnum):
    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    HTTP = "http"


class Outcome(StrEnum):
    """How a probe ended."""

    REPLY = "reply"
    REFUSED = "refused"
    """A reset, an ICMP error, or no route on this node; `Result.detail` has the reason."""
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe. A TCP probe without `payload` has its reply when it is connected; with it, it needs an answer."""

    protocol: Protocol
    address: str
    port: int = 0
    payload: bytes = b""
    path: str = "/"
    source: str = ""
    """The source address; empty: chosen by the kernel."""
    timeout_s: float = DEFAULT_TIMEOUT_S

    def __str__(self) -> str:
        if self.protocol is Protocol.ICMP:
            return f"{self.address}/icmp"
        if self.protocol is Protocol.HTTP:
            return f"http://{self.address}:{self.port}{self.path}"
        return f"{self.address}:{self.port}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Result:
    """How a probe from `origin` ended, and the answer."""

    origin: str
    probe: Probe
    outcome: Outcome
    latency_s: float
    detail: str = ""
    """The reason for a refusal, in the kernel's words."""
    server: str = ""
    """The name of the Responder that answered; for other servers, the first line of the answer or of the HTTP body."""
    seen: str = ""
    """Our address as the Responder saw it; empty for other servers."""
    seen_port: int = 0
    status: int = 0
    """The status code of HTTP."""
    body: bytes = b""

    def __str__(self) -> str:
        reason = f" ({self.detail})" if self.detail else ""
        server = f" from {self.server}" if self.server else ""
        return f"{self.origin} → {self.probe}: {self.outcome}{server} after {duration(self.latency_s)}{reason}"

    def unexpected(self, expected: Outcome) -> str:
        """The line for a failed test; empty if the outcome is the expected one."""
        if self.outcome is expected:
            return ""
        reason = f" ({self.detail})" if self.detail else ""
        latency = duration(self.latency_s)
        return f"{self.origin} → {self.probe}: expected {expected}, got {self.outcome} after {latency}{reason}"


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of a series of probes: the number for each server, and the number without a reply."""

    servers: Mapping[str, int] = field(default_factory=dict)
    refused: int = 0
    silent: int = 0

    @property
    def total(self) -> int:
        return sum(self.servers.values()) + self.refused + self.silent

    def share(self, server: str) -> float:
        """The share of a server in all probes, between 0 and 1."""
        return self.servers.get(server, 0) / self.total if self.total else 0.0

    def __str__(self) -> str:
        parts = [f"{name or '(unnamed)'}: {count}" for name, count in sorted(self.servers.items())]
        parts += [f"refused: {self.refused}"] if self.refused else []
        parts += [f"silent: {self.silent}"] if self.silent else []
        return f"{self.total} probes; {', '.join(parts)}"


def spread_of(results: Iterable[Result]) -> Spread:
    results = list(results)
    outcomes = Counter(result.outcome for result in results)
    servers = Counter(result.server for result in results if result.outcome is Outcome.REPLY)
    return Spread(dict(servers), outcomes[Outcome.REFUSED], outcomes[Outcome.SILENCE])


def tcp(address: str, port: int, *, source: str = "", timeout_s: float = DEFAULT_TIMEOUT_S) -> Probe:
    """A connection, which is reset as soon as it is established."""
    return Probe(Protocol.TCP, str(address), port, source=source, timeout_s=timeout_s)


def ask(address: str, port: int, *, source: str = "", timeout_s: float = DEFAULT_TIMEOUT_S) -> Probe:
    """A TCP connection with a question; the one-line answer of a Responder has its name, and our address."""
    return Probe(Protocol.TCP, str(address), port, QUESTION, source=source, timeout_s=timeout_s)


def udp(
    address: str, port: int, *, payload: bytes = b"\n", source: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
) -> Probe:
    """A datagram, sent once; any datagram back is the reply."""
    return Probe(Protocol.UDP, str(address), port, payload, source=source, timeout_s=timeout_s)


def ask_udp(address: str, port: int, *, source: str = "", timeout_s: float = DEFAULT_TIMEOUT_S) -> Probe:
    """A datagram with the question that a Responder answers."""
    return udp(address, port, payload=QUESTION, source=source, timeout_s=timeout_s)


def icmp(address: str, *, payload: bytes = b"", timeout_s: float = DEFAULT_TIMEOUT_S) -> Probe:
    """An echo request; `payload` decides its size."""
    return Probe(Protocol.ICMP, str(address), payload=payload, timeout_s=timeout_s)


def http(
    address: str, port: int = 80, *, path: str = "/", source: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
) -> Probe:
    """GET; any HTTP status is a reply."""
    return Probe(Protocol.HTTP, str(address), port, path=path, source=source, timeout_s=timeout_s)


def answer_line(name: str, address: str, port: int) -> bytes:
    """The answer of a Responder."""
    return f"{_SIGN} {name} {address} {port}\n".encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """The name of a Responder, and our address as it saw it."""

    server: str
    seen: str


def answer_of(data: bytes) -> Answer:
    server, seen, _ = read_answer(data)
    return Answer(server, seen)


def read_answer(data: bytes) -> tuple[str, str, int]:
    """The server's name, and our address and port as it saw them; for other servers, only the first line."""
    line = data.split(b"\n", 1)[0].decode(errors="replace").strip()
    words = line.split(" ")
    if len(words) == _ANSWER_WORDS and words[0] == _SIGN and words[3].isdigit():
        return words[1], words[2], int(words[3])
    return line, "", 0


def duration(seconds: float) -> str:
    """For people: 1.0 s, 12.3 ms."""
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"
