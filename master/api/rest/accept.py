"""The headers Accept and Accept-Encoding: which forms of a response the client takes, the preferred ones first.

Kubernetes' clients name a form by parameters of the media type: `application/json;as=Table;g=meta.k8s.io;v=v1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

JSON: Final = "application/json"
_NO_PARAMETERS: Final[Mapping[str, str]] = {}


class Clause(msgspec.Struct, frozen=True):
    """One media range of the header, such as `application/*`, with its parameters but its quality."""

    media: str
    parameters: Mapping[str, str] = _NO_PARAMETERS

    def covers(self, media: str) -> bool:
        """Whether the range includes a media type."""
        return self.media in (media, "*/*", media.partition("/")[0] + "/*")

    @property
    def transformed(self) -> str:
        """The kind into which the client wants the response changed, such as `Table`; empty for none."""
        return self.parameters.get("as", "")

    def group_version(self, group: str) -> str:
        """The version of that kind; empty if the client means another group. `group` is also the default."""
        return self.parameters.get("v", "") if self.parameters.get("g", group) == group else ""


@lru_cache(maxsize=256)
def clauses(header: str) -> tuple[Clause, ...]:
    """The clauses of a header, the preferred ones first. An empty header accepts everything."""
    if not header.strip():
        return (Clause("*/*"),)
    ranked: list[tuple[float, Clause]] = []
    for text in header.split(","):
        media, *pairs = (part.strip() for part in text.split(";"))
        parameters = dict(pair.partition("=")[::2] for pair in pairs)
        quality = _quality(parameters.pop("q", "1"))
        if quality > 0:
            ranked.append((-quality, Clause(media.lower(), parameters)))
    # The sort is stable, so that equals keep the order of the header.
    return tuple(clause for _, clause in sorted(ranked, key=lambda pair: pair[0]))


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


@lru_cache(maxsize=64)
def accepts_gzip(header: str) -> bool:
    """Whether a header Accept-Encoding names gzip with a quality above 0."""
    for text in header.split(","):
        coding, *pairs = (part.strip().lower() for part in text.split(";"))
        if coding == "gzip":
            return all(_quality(value.strip()) > 0 for name, _, value in (pair.partition("=") for pair in pairs))
    return False
