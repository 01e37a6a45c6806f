"""The errors of the REST client, one tree.

ClientError                     the root
├── BadKubeconfig               the file is missing, or not usable
├── BadManifest                 a document is not an object, or has a kind that the server does not have
├── UnknownType                 the server has no resource of this name
├── ConnectionFailed            no answer: refused, timed out, broken
├── TrustFailed                 the server is not the expected one
└── StatusError                 the server answered with a Status
    ├── BadRequest 400          ├── Unauthorized 401        ├── Forbidden 403
    ├── NotFound 404            ├── Conflict 409            │   └── AlreadyExists
    ├── Gone 410                ├── TooLarge 413            ├── Invalid 422
    └── ServerFailed 5xx
"""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Root of the package's errors. The message is a single line."""


class BadKubeconfig(ClientError):
    """The kubeconfig is missing or unusable."""


class BadManifest(ClientError):
    """A document cannot be sent: not an object, or of an unknown kind."""


class UnknownType(ClientError):
    """The server has no resource of this name."""

    def __init__(self, word: str) -> None:
        super().__init__(f'the server has no resource "{word}"')


class ConnectionFailed(ClientError):
    """The server gave no answer; the request may or may not have been carried out."""


class TrustFailed(ClientError):
    """The server's certificate, or its CA, is not the expected one."""


class StatusError(ClientError):
    """The server refused the request. `code`, `reason` and `details` are those of the Status, as the API documents
    them.
    """

    def __init__(self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details: Mapping[str, Any] = details or {}


class BadRequest(StatusError):
    pass


class Unauthorized(StatusError):
    pass


class Forbidden(StatusError):
    pass


class NotFound(StatusError):
    pass


class Conflict(StatusError):
    pass


class AlreadyExists(Conflict):
    pass


class Gone(StatusError):
    """The resource version is too old: list again."""


class TooLarge(StatusError):
    pass


class Invalid(StatusError):
    pass


class ServerFailed(StatusError):
    pass


_BY_CODE: Mapping[int, type[StatusError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    422: Invalid,
}


def status_error(code: int, body: Mapping[str, Any]) -> StatusError:
    """The typed error of an answer. `body` is a Status, or whatever the server sent instead."""
    reason = str(body.get("reason") or "")
    message = str(body.get("message") or f"the server answered {code}")
    details = body.get("details")
    kind = AlreadyExists if reason == "AlreadyExists" else _BY_CODE.get(code)
    if kind is None:
        kind = ServerFailed if code >= 500 else StatusError
    return kind(code, reason, message, details if isinstance(details, Mapping) else None)
