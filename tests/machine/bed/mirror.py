"""The Debian mirror that root file systems are built from: the one that this machine's own apt uses.

Reads `/etc/apt/sources.list` and the files below `/etc/apt/sources.list.d` (sources.list(5): one-line entries in
`*.list`, deb822 stanzas in `*.sources`). A mirror has all releases, so the same URI serves every recipe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.machine.recipe import DEFAULT_MIRROR

_APT: Final = Path("/etc/apt")
_SUITES: Final = frozenset(
    ("oldstable", "stable", "testing", "unstable", "bullseye", "bookworm", "trixie", "forky", "sid")
)
"""The suites of Debian's archive. Third-party repositories mostly have suites of other names (`bookworm-pgdg`)."""
_UPDATES: Final = frozenset(f"{suite}-updates" for suite in _SUITES)
_COMPONENT: Final = "main"
_SCHEMES: Final = ("http://", "https://")
"""The schemes that debootstrap and apt both support. Entries with `mirror+`, `cdrom:` or `file:` are skipped."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """`reason`: why it is the default mirror; empty for a mirror of the machine's own."""

    uri: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Source:
    """One URI and one suite of an entry for binary packages."""

    uri: str
    suite: str
    components: tuple[str, ...]


def of_this_machine(apt: Path = _APT) -> Mirror:
    """The first mirror of Debian's main archive in the apt sources.

    Where several entries qualify, one that also serves updates (`bookworm-updates`) is preferred: third-party
    repositories may use Debian's suite names, but have no updates.
    """
    sources = [source for path in _files(apt) for source in _read(path)]
    updated = {source.uri for source in sources if source.suite in _UPDATES}
    mirrors = [
        source.uri
        for source in sources
        if source.suite in _SUITES and _COMPONENT in source.components and source.uri.startswith(_SCHEMES)
    ]
    mirrors.sort(key=lambda uri: uri not in updated)
    if not mirrors:
        return Mirror(DEFAULT_MIRROR, f"no http mirror of Debian's main archive in {apt}/sources.list*")
    return Mirror(mirrors[0])


def _files(apt: Path) -> list[Path]:
    """In apt's order. Other names in the directory are ignored, as apt does."""
    parts = apt / "sources.list.d"
    return [apt / "sources.list", *sorted([*parts.glob("*.list"), *parts.glob("*.sources")])]


def _read(path: Path) -> Iterator[_Source]:
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return
    yield from _stanzas(text) if path.suffix == ".sources" else _lines(text)


def _lines(text: str) -> Iterator[_Source]:
    """`deb [ option=value … ] uri suite component …`."""
    for line in text.splitlines():
        entry = line.partition("#")[0].strip()
        kind, _, rest = entry.partition(" ")
        if kind != "deb":
            continue
        if rest.lstrip().startswith("["):
            rest = rest.partition("]")[2]
        match rest.split():
            case [uri, suite, *components]:
                yield _Source(uri.rstrip("/"), suite, tuple(components))


def _stanzas(text: str) -> Iterator[_Source]:
    """Stanzas of fields, separated by empty lines. A field goes on in the lines that begin with white space."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(line.rstrip() for line in lines).split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')} {line}"
            else:
                name, _, value = line.partition(":")
                name = name.lower()
                fields[name] = value
        words = {name: value.split() for name, value in fields.items()}
        if "deb" not in words.get("types", []) or words.get("enabled", ["yes"])[:1] in (["no"], ["false"], ["0"]):
            continue
        for uri in words.get("uris", []):
            for suite in words.get("suites", []):
                yield _Source(uri.rstrip("/"), suite, tuple(words.get("components", [])))
