"""What the Docker SDK raises, as the runtime's own errors.

Owns the one place where status codes become types. The engine tells some causes in prose only; then the text is the
only source there is (marked below).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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

_CONFLICT, _NOT_FOUND, _FIRST_SERVER_ERROR = 409, 404, 500


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


def fault_of(error: docker.errors.APIError, what: str) -> RuntimeFault:
    """The type of an answer that is an error."""
    text = str(error.explanation or error)
    message = f"{what}: {text}"
    if isinstance(error, docker.errors.ImageNotFound) or "No such image" in text:
        return ImageNotFound(message)
    # A missing container to join is a plain 400; only the text says what it is.
    if error.status_code == _NOT_FOUND or text.startswith("No such container"):
        return NoSuchContainer(message)
    if error.status_code == _CONFLICT:
        return CreateConflict(message)
    if error.status_code is not None and error.status_code < _FIRST_SERVER_ERROR:
        return BadRequest(message)
    return EngineFault(message)


def pull_fault(text: str, image: str) -> RuntimeFault:
    """The type of a failed pull. The engine answers 404 or 500 for much the same: only its text tells them apart."""
    low = text.lower()
    if "invalid reference format" in low or "must be lowercase" in low:
        return InvalidImageName(f'"{image}" is not an image reference: {text}')
    if "manifest unknown" in low or "not found" in low or "does not exist" in low:
        return ImageNotFound(f'image "{image}" was not found: {text}')
    return PullFailed(f'image "{image}" could not be pulled: {text}')
