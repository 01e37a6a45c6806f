"""Translates errors of the engine and of the connection to it into the runtime's own.

The only place where status codes become types. The engine names some causes only in its text; the functions below that
match texts say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import aiohttp

from agent.runtime.errors import (
    BadRequest,
    CreateConflict,
    EngineFault,
    EngineGone,
    ImageNotFound,
    InvalidImageName,
    NoSuchContainer,
    NotRunning,
    RuntimeFault,
    TimedOut,
)

FIRST_ERROR, NOT_FOUND, CONFLICT, FIRST_SERVER_ERROR = 400, 404, 409, 500
_PODMAN_CAUSES: Final[Mapping[str, int]] = {
    "no such container": NOT_FOUND,
    "that name is already in use": CONFLICT,
    "container state improper": CONFLICT,
}
"""Podman answers 500 where Docker has a status of its own; its field `cause` has one of these constants then."""
_HAS_DEPENDENTS: Final = "container already exists"
"""Podman 4's cause, odd as it is, when it does not remove a container that others depend on."""


class EngineError(Exception):
    """The engine answered with an error. `status` is the one that Docker would answer."""

    def __init__(self, status: int, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.cause = cause

    @property
    def has_dependents(self) -> bool:
        """Whether Podman refuses to remove a container because others use its namespaces."""
        return self.cause == _HAS_DEPENDENTS


def error_from_answer(status: int, body: bytes) -> EngineError:
    """The error in an answer of status 400 and above."""
    text = body.decode(errors="replace").strip()
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return EngineError(status, text or f"status {status}")
    cause = str(answer.get("cause", ""))
    if status == FIRST_SERVER_ERROR:
        status = _PODMAN_CAUSES.get(cause, status)
    return EngineError(status, str(answer.get("message") or text), cause)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the runtime's errors for those of the connection; `what` names the call in messages.

    Only an engine that does not answer is gone. An answer that is neither HTTP nor JSON is the engine's fault, and a
    request that cannot be sent at all is a bad request.
    """
    try:
        yield
    except TimeoutError as error:
        raise TimedOut(f"{what}: the container engine did not answer in time") from error
    except aiohttp.InvalidURL as error:
        raise BadRequest(f"{what}: {error}") from error
    except (aiohttp.ClientResponseError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise EngineFault(f"{what}: the container engine's answer cannot be read: {error}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise EngineGone(f"{what}: the container engine does not answer: {error}") from error
    except ValueError as error:
        raise BadRequest(f"{what}: {error}") from error


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Raise EngineFault if an answer has another form than the API's."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise EngineFault(f"{what}: the container engine's answer has an unknown form: {error!r}") from error


@contextmanager
def faults(what: str) -> Iterator[None]:
    """Raise the RuntimeFault for an error that the engine answered."""
    try:
        yield
    except EngineError as error:
        raise fault_of(error, what) from error


def fault_of(error: EngineError, what: str) -> RuntimeFault:
    """The RuntimeFault for an error of the engine."""
    text = error.message
    message = f"{what}: {text}"
    # The status 404 is also that of a missing container.
    if "no such image" in text.lower():
        return ImageNotFound(message)
    if "invalid reference format" in text:
        return InvalidImageName(message)
    # A missing container to join is a plain 400; only the text names the cause.
    if error.status == NOT_FOUND or text.startswith("No such container"):
        return NoSuchContainer(message)
    if error.status == CONFLICT:
        return CreateConflict(message)
    if 0 < error.status < FIRST_SERVER_ERROR:
        return BadRequest(message)
    return EngineFault(message)


@contextmanager
def process_faults(what: str) -> Iterator[None]:
    """As `faults`, for calls about processes in a container: a conflict means that the container does not run."""
    try:
        yield
    except EngineError as error:
        # Podman names the cause only in its text.
        if error.status == CONFLICT or "container state improper" in error.message:
            raise NotRunning(f"{what}: {error.message}") from error
        raise fault_of(error, what) from error
