"""Errors of requests. The client gets each of them as a Kubernetes `Status`.

ApiError
├── BadRequest            400 BadRequest
├── Unauthorized          401 Unauthorized
├── Forbidden             403 Forbidden
├── NotFound              404 NotFound
├── MethodNotAllowed      405 MethodNotAllowed
├── NotAcceptable         406 NotAcceptable
├── RequestTimeout        408 Timeout
├── AlreadyExists         409 AlreadyExists
├── Conflict              409 Conflict
│   └── ApplyConflict
├── Expired               410 Expired
├── TooLarge              413 RequestEntityTooLarge
├── UnsupportedMediaType  415 UnsupportedMediaType
├── Invalid               422 Invalid
├── TooManyRequests       429 TooManyRequests
├── InternalError         500 InternalError
├── Unavailable           503 ServiceUnavailable
│   └── NodeUnreachable
└── Timeout               504 Timeout
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from master.fieldmanager.conflicts import Conflicts
from master.registry.resource import Resource
from master.schema.cause import Cause

# Limits in characters. A message may quote the client's request, which may be large.
_LONGEST_MESSAGE = 8192
_LONGEST_NAME = 512


class ApiError(Exception):
    """Base of all errors of requests.

    `name`, `group`, `kind` and `uid` identify the object. `retry_after_s`: the client should try again after this time.
    """

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        causes: Sequence[Cause] = (),
        name: str = "",
        group: str = "",
        kind: str = "",
        uid: str = "",
        retry_after_s: int = 0,
    ) -> None:
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:_LONGEST_MESSAGE]}..."
        super().__init__(message)
        self.message = message
        self.causes = tuple(causes)
        self.name = name
        self.group = group
        self.kind = kind
        self.uid = uid
        self.retry_after_s = retry_after_s

    def status(self) -> dict[str, Any]:
        """The `Status` object for the client."""
        details = {"name": self.name, "group": self.group, "kind": self.kind, "uid": self.uid}
        body: dict[str, Any] = {key: value[:_LONGEST_NAME] for key, value in details.items() if value}
        if self.causes:
            body["causes"] = [
                {k: v for k, v in (("reason", c.reason), ("message", c.message), ("field", c.field)) if v}
                for c in self.causes
            ]
        if self.retry_after_s:
            body["retryAfterSeconds"] = self.retry_after_s
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if body:
            status["details"] = body
        status["code"] = self.code
        return status


class BadRequest(ApiError):
    """The request cannot be understood."""

    code = 400
    reason = "BadRequest"

    @classmethod
    def at(cls, field: str, why: str) -> BadRequest:
        """The error for one field."""
        return cls(f"{field}: {why}", causes=[Cause("FieldValueInvalid", why[:_LONGEST_NAME], field)])


class Unauthorized(ApiError):
    """The caller is unknown."""

    code = 401
    reason = "Unauthorized"


class Forbidden(ApiError):
    """The caller is known, but does not have the permission."""

    code = 403
    reason = "Forbidden"


class NotFound(ApiError):
    """There is no such object."""

    code = 404
    reason = "NotFound"

    @classmethod
    def of(cls, kind: Resource[Any], name: str) -> NotFound:
        return cls(f'{kind.resource} "{name}" not found', name=name, group=kind.group, kind=kind.plural)


class MethodNotAllowed(ApiError):
    """The path does not support this method."""

    code = 405
    reason = "MethodNotAllowed"


class NotAcceptable(ApiError):
    """The server has none of the representations that the client accepts."""

    code = 406
    reason = "NotAcceptable"


class RequestTimeout(ApiError):
    """The client did not send all of its request in time."""

    code = 408
    reason = "Timeout"


class AlreadyExists(ApiError):
    """The name is taken."""

    code = 409
    reason = "AlreadyExists"

    @classmethod
    def of(cls, kind: Resource[Any], name: str) -> AlreadyExists:
        return cls(f'{kind.resource} "{name}" already exists', name=name, group=kind.group, kind=kind.plural)


class Conflict(ApiError):
    """The object has changed since the caller read it, or is another one with the same name."""

    code = 409
    reason = "Conflict"

    @classmethod
    def of(cls, kind: Resource[Any], name: str, why: str = "") -> Conflict:
        why = why or ("the object has been modified; please apply your changes to the latest version and try again")
        return cls(
            f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}',
            name=name,
            group=kind.group,
            kind=kind.plural,
        )


class ApplyConflict(Conflict):
    """An apply would change fields that other managers own. Each cause names a field and its manager."""

    @classmethod
    def of_clashes(cls, conflicts: Conflicts) -> ApplyConflict:
        causes = [
            Cause("FieldManagerConflict", f"conflict with {each.owner}", each.field) for each in conflicts.clashes
        ]
        return cls(str(conflicts), causes=causes)


class Expired(ApiError):
    """The requested version is older than the history. `continue_token` goes on with the current state of a list."""

    code = 410
    reason = "Expired"

    def __init__(self, message: str, *, continue_token: str = "") -> None:
        super().__init__(message)
        self.continue_token = continue_token

    def status(self) -> dict[str, Any]:
        status = super().status()
        if self.continue_token:
            status["metadata"] = {"continue": self.continue_token}
        return status


class TooLarge(ApiError):
    """The body exceeds the server's limit."""

    code = 413
    reason = "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    """The server does not read this format of a body."""

    code = 415
    reason = "UnsupportedMediaType"


class Invalid(ApiError):
    """The object breaks rules. Each cause names its field."""

    code = 422
    reason = "Invalid"

    @classmethod
    def of(cls, resource: Resource[Any], name: str, causes: Sequence[Cause]) -> Invalid:
        return cls.of_kind(resource.kind, name, causes, group=resource.group)

    @classmethod
    def of_kind(cls, kind: str, name: str, causes: Sequence[Cause], *, group: str = "") -> Invalid:
        """The error for an object that is not stored, such as the body of a subresource."""
        texts = [f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in causes]
        text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
        return cls(
            f'{kind} "{name[:_LONGEST_NAME]}" is invalid: {text}',
            causes=causes,
            name=name,
            group=group,
            kind=kind,
        )


class TooManyRequests(ApiError):
    """The server handles its largest number of concurrent requests already."""

    code = 429
    reason = "TooManyRequests"


class InternalError(ApiError):
    """An error of the server. The master's log has the details."""


class Unavailable(ApiError):
    """A part that the request needs is not available now."""

    code = 503
    reason = "ServiceUnavailable"


class NodeUnreachable(Unavailable):
    """The node has no session."""


class Timeout(ApiError):
    """The request took too long, or its resourceVersion does not exist yet."""

    code = 504
    reason = "Timeout"
