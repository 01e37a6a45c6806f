"""The text format in which Prometheus reads metrics, version 0.0.4. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value. `at`: seconds since the epoch; None: the time at which it is read."""

    value: float
    labels: Mapping[str, str]
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """All values of one name."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: tuple[Sample, ...]


def text(families: Iterable[Family]) -> bytes:
    """The families that have values, in the order of their names."""
    shown = sorted((family for family in families if family.samples), key=lambda family: family.name)
    return "".join(line for family in shown for line in _lines(family)).encode()


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(sample.labels.items()))
        labels = f"{{{pairs}}}" if pairs else ""
        at = f" {int(sample.at * 1000)}" if sample.at is not None else ""
        yield f"{family.name}{labels} {_number(sample.value)}{at}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
