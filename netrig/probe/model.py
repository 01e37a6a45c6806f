"""What is probed and what came of it, as values, and the texts for a test that fails. No input or output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

DEFAULT_TIMEOUT_S: Final = 1.0
QUESTION: Final = b"?\n"
KEEP: Final = b"+\n"
"""The question of a connection that stays: after the answer, all that is sent is sent back."""
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
    """Somebody said no: a reset, an ICMP error, or this node itself that has no route; `detail` tells."""
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Probe:
    """One question. With `payload` a TCP probe wants an answer; without, it is content when it is connected."""

    protocol: Protocol
    address: str
    port: int = 0
    payload: bytes = b""
    path: str = "/"
    source: str = ""
    """The address to come from; empty: the kernel's choice."""
    timeout_s: float = DEFAULT_TIMEOUT_S

    def __str__(self) -> str:
        if self.protocol is Protocol.ICMP:
            return f"{self.address}/icmp"
        if self.protocol is Protocol.HTTP:
            return f"http://{self.address}:{self.port}{self.path}"
        return f"{self.address}:{self.port}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Result:
    """How one probe from `origin` ended, and what was answered."""

    origin: str
    probe: Probe
    outcome: Outcome
    latency_s: float
    detail: str = ""
    """Why it was refused, in the kernel's words."""
    server: str = ""
    """Who answered: a Responder's name; else the first line of the answer, or of an HTTP body."""
    seen: str = ""
    """Our address as a Responder saw it; empty when somebody else answered."""
    seen_port: int = 0
    status: int = 0
    """Of HTTP."""
    body: bytes = b""

    def __str__(self) -> str:
        because = f" ({self.detail})" if self.detail else ""
        by = f" from {self.server}" if self.server else ""
        return f"{self.origin} → {self.probe}: {self.outcome}{by} after {duration(self.latency_s)}{because}"

    def unexpected(self, expected: Outcome) -> str:
        """The line for a failed test; empty when it is as expected."""
        if self.outcome is expected:
            return ""
        because = f" ({self.detail})" if self.detail else ""
        passed = duration(self.latency_s)
        return f"{self.origin} → {self.probe}: expected {expected}, got {self.outcome} after {passed}{because}"


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the probes of a series went: how many to each server, and how many had no reply."""

    servers: Mapping[str, int] = field(default_factory=dict)
    refused: int = 0
    silent: int = 0

    @property
    def total(self) -> int:
        return sum(self.servers.values()) + self.refused + self.silent

    def share(self, server: str) -> float:
        """Of all probes, 0 to 1."""
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
    """A connection, which is reset as soon as it stands."""
    return Probe(Protocol.TCP, str(address), port, source=source, timeout_s=timeout_s)


def ask(address: str, port: int, *, source: str = "", timeout_s: float = DEFAULT_TIMEOUT_S) -> Probe:
    """A TCP connection with a question and one line of answer: who are you, and who am I?"""
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
    """An echo request; `payload` makes it as large as wanted."""
    return Probe(Protocol.ICMP, str(address), payload=payload, timeout_s=timeout_s)


def http(
    address: str, port: int = 80, *, path: str = "/", source: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
) -> Probe:
    """GET; any HTTP status is a reply."""
    return Probe(Protocol.HTTP, str(address), port, path=path, source=source, timeout_s=timeout_s)


def answer_line(name: str, address: str, port: int) -> bytes:
    """What a Responder says."""
    return f"{_SIGN} {name} {address} {port}\n".encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answered, and our address as it saw it."""

    server: str
    seen: str


def answer_of(data: bytes) -> Answer:
    server, seen, _ = read_answer(data)
    return Answer(server, seen)


def read_answer(data: bytes) -> tuple[str, str, int]:
    """Server, our address and port as it saw them; of anybody else's answer only its first line."""
    line = data.split(b"\n", 1)[0].decode(errors="replace").strip()
    words = line.split(" ")
    if len(words) == _ANSWER_WORDS and words[0] == _SIGN and words[3].isdigit():
        return words[1], words[2], int(words[3])
    return line, "", 0


def duration(seconds: float) -> str:
    """1.0 s, 12.3 ms"""
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"
