"""What the Docker SDK raises, as the runtime's own errors.

Owns the one place where status codes become types. The engine tells some causes in prose only; then the text is the
only source there is (marked below).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import docker.errors
import requests.exceptions
import urllib3.exceptions

from agent.runtime.errors import (
    BadRequest,
    CreateConflict,
    EngineFault,
    EngineGone,
    ImageNotFound,
    InvalidImageName,
    NoSuchContainer,
    PullFailed,
    RuntimeFault,
)

NOT_FOUND, CONFLICT, _FIRST_SERVER_ERROR = 404, 409, 500
_PODMANS: Final[Mapping[str, int]] = {
    "no such container": NOT_FOUND,
    "that name is already in use": CONFLICT,
    "container state improper": CONFLICT,
}
"""Podman answers 500 where Docker has a status for it; which it is its field `cause` says, a constant of its own."""
_IN_USE: Final = "container already exists"
"""The cause of refusing to remove a container that others depend on: so Podman 4 has it, odd as it is."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raises the runtime's errors for the SDK's; `what` names the call for people."""
    try:
        yield
    except docker.errors.APIError as error:
        raise fault_of(error, what) from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise EngineGone(f"{what}: the container engine does not answer: {error}") from error
    except docker.errors.DockerException as error:
        raise EngineGone(f"{what}: {error}") from error


def status_of(error: docker.errors.APIError) -> int:
    """The status, as Docker would give it; 0 when there was none."""
    status = error.status_code or 0
    return _PODMANS.get(_cause(error), status) if status == _FIRST_SERVER_ERROR else status


def has_dependents(error: docker.errors.APIError) -> bool:
    """Whether Podman does not remove a container because others live in its namespaces."""
    return _cause(error) == _IN_USE


def fault_of(error: docker.errors.APIError, what: str) -> RuntimeFault:
    """The type of an answer that is an error."""
    text = str(error.explanation or error)
    message = f"{what}: {text}"
    if isinstance(error, docker.errors.ImageNotFound) or "No such image" in text:
        return ImageNotFound(message)
    status = status_of(error)
    # A missing container to join is a plain 400; only the text says what it is.
    if status == NOT_FOUND or text.startswith("No such container"):
        return NoSuchContainer(message)
    if status == CONFLICT:
        return CreateConflict(message)
    if 0 < status < _FIRST_SERVER_ERROR:
        return BadRequest(message)
    return EngineFault(message)


def _cause(error: docker.errors.APIError) -> str:
    try:
        found = error.response.json() if error.response is not None else None
    except ValueError:
        return ""
    return str(found.get("cause", "")) if isinstance(found, dict) else ""


def pull_fault(text: str, image: str) -> RuntimeFault:
    """The type of a failed pull. The engine answers 404 or 500 for much the same: only its text tells them apart."""
    low = text.lower()
    if "invalid reference format" in low or "must be lowercase" in low:
        return InvalidImageName(f'"{image}" is not an image reference: {text}')
    if "manifest unknown" in low or "not found" in low or "does not exist" in low:
        return ImageNotFound(f'image "{image}" was not found: {text}')
    return PullFailed(f'image "{image}" could not be pulled: {text}')
