"""What kubectl reads: YAML with its meaning, or that kubectl refuses it (tests/fixtures/yaml/kubectl.jsonl).

Each text is the rest of a ConfigMap after apiVersion, kind and metadata. The meaning is what `kubectl label --local -o
json` prints, without those three. kubectl 1.20 and 1.37 agree about all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.yamltext import json_float, json_integer

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


@dataclass(frozen=True)
class Fact:
    text: str
    refused: bool = False
    value: Any = None

    def __str__(self) -> str:
        return self.text


def values(text: str) -> Iterator[Any]:
    """A sequence of JSON values, with numbers as Kubernetes reads them."""
    decoder = json.JSONDecoder(parse_int=json_integer, parse_float=json_float)
    text = text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        yield value
        text = text[end:].lstrip()


def same(value: Any, other: Any) -> bool:
    """Equality that separates booleans, integers and fractions."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


FACTS = [Fact(**fact) for fact in values((Path(__file__).parent / "fixtures/yaml/kubectl.jsonl").read_text())]
