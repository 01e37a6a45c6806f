"""Translates the Docker SDK's errors into the runtime's own.

The only place where status codes become types. The engine names some causes only in its text; the functions below that
match texts say so.
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
_PODMAN_CAUSES: Final[Mapping[str, int]] = {
    "no such container": NOT_FOUND,
    "that name is already in use": CONFLICT,
    "container state improper": CONFLICT,
}
"""Podman answers 500 where Docker has a status of its own; its field `cause` has one of these constants then."""
_HAS_DEPENDENTS: Final = "container already exists"
"""Podman 4's cause, odd as it is, when it does not remove a container that others depend on."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the runtime's errors for the SDK's; `what` names the call in messages."""
    try:
        yield
    except docker.errors.APIError as error:
        raise fault_of(error, what) from error
    except docker.errors.InvalidRepository as error:
        raise InvalidImageName(f"{what}: not an image reference: {error}") from error
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
        raise BadRequest(f"{what}: {error}") from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise EngineGone(f"{what}: the container engine does not answer: {error}") from error
    except docker.errors.DockerException as error:
        # The SDK raises the base class itself when it finds no engine, and its other types for wrong arguments.
        if type(error) is docker.errors.DockerException:
            raise EngineGone(f"{what}: {error}") from error
        raise BadRequest(f"{what}: {error}") from error


def status_of(error: docker.errors.APIError) -> int:
    """The status that Docker would answer; 0 when there is none."""
    status = error.status_code or 0
    return _PODMAN_CAUSES.get(_cause(error), status) if status == _FIRST_SERVER_ERROR else status


def has_dependents(error: docker.errors.APIError) -> bool:
    """Whether Podman refuses to remove a container because others use its namespaces."""
    return _cause(error) == _HAS_DEPENDENTS


def fault_of(error: docker.errors.APIError, what: str) -> RuntimeFault:
    """The RuntimeFault for an error of the SDK."""
    text = str(error.explanation or error)
    message = f"{what}: {text}"
    if isinstance(error, docker.errors.ImageNotFound) or "No such image" in text:
        return ImageNotFound(message)
    status = status_of(error)
    # A missing container to join is a plain 400; only the text names the cause.
    if status == NOT_FOUND or text.startswith("No such container"):
        return NoSuchContainer(message)
    if status == CONFLICT:
        return CreateConflict(message)
    if 0 < status < _FIRST_SERVER_ERROR:
        return BadRequest(message)
    return EngineFault(message)


def _cause(error: docker.errors.APIError) -> str:
    try:
        body = error.response.json() if error.response is not None else None
    except ValueError:
        return ""
    return str(body.get("cause", "")) if isinstance(body, dict) else ""


def pull_fault(text: str, image: str, how: str = "") -> RuntimeFault:
    """The RuntimeFault for a failed pull. 404 and 500 do not identify the cause; only the text does.

    `how`: with which credentials it was tried.
    """
    tried = f" {how}" if how else ""
    lower = text.lower()
    if "invalid reference format" in lower or "must be lowercase" in lower:
        return InvalidImageName(f'"{image}" is not an image reference: {text}')
    if "manifest unknown" in lower or "not found" in lower or "does not exist" in lower:
        return ImageNotFound(f'image "{image}" was not found{tried}: {text}')
    return PullFailed(f'image "{image}" could not be pulled{tried}: {text}')
