"""References of images, such as `registry.example:5000/team/app:1.2`: a pure function.

Owns their grammar (distribution/reference) and Docker's rules for what is left out. The engine is not asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agent.runtime.errors import InvalidImageName

DOCKER_HUB: Final = "docker.io"
_MAX_NAME: Final = 255
_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_PATH: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_ID: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """An image of a registry."""

    host: str
    """The registry, with its port if it has one."""
    repository: str
    """As the engine takes it: with the host if the reference has one."""
    tag: str
    """The tag, or the digest if there is one; it names the content exactly, whatever the tag is."""


def parse(image: str) -> Reference:
    """The parts of a reference; without a tag it is `latest`. Raises InvalidImageName."""
    rest, at, digest = image.partition("@")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    repository = head + slash + last
    host, path = divided(repository)
    if (at and not _DIGEST.fullmatch(digest)) or (colon and not _TAG.fullmatch(tag)) or not _HOST.fullmatch(host):
        raise _invalid(image, "invalid reference format")
    if path != path.lower() and all(_PATH.fullmatch(part) for part in path.lower().split("/")):
        raise _invalid(image, f"invalid reference format: repository name ({path}) must be lowercase")
    if len(repository) > _MAX_NAME or not all(_PATH.fullmatch(part) for part in path.split("/")):
        raise _invalid(image, "invalid reference format")
    if _ID.fullmatch(image):
        raise _invalid(image, "a repository name cannot be 64 hexadecimal digits")
    return Reference(host, repository, digest or tag or "latest")


def divided(repository: str) -> tuple[str, str]:
    """Host and path. The part before the first slash is a host if it cannot be the name of a directory."""
    first, slash, rest = repository.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first or first != first.lower()):
        return first, rest
    return DOCKER_HUB, repository


def _invalid(image: str, why: str) -> InvalidImageName:
    return InvalidImageName(f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {why}')
