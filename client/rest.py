"""The verbs of the REST API over one verified connection pool.

It turns answers into documents and refusals into typed errors, and knows no kinds. It retries nothing, because only the
caller knows whether a request may be sent twice.
"""

import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Literal, Self

import urllib3
from urllib3.exceptions import HTTPError

from client.errors import ConnectionFailed, TrustFailed, status_error
from client.kubeconfig import Access
from client.tls import context_for
from client.watching import WatchEvent, parse_events

Document = dict[str, Any]
Query = Mapping[str, str]
PatchType = Literal[
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
]
MERGE_PATCH: PatchType = "application/merge-patch+json"
APPLY_PATCH: PatchType = "application/apply-patch+yaml"
JSON = "application/json"
_WARNING = re.compile(r'\d{3} [^\s",]+ "(?P<text>(?:[^"\\]|\\.)*)"(?: "[^"]*")?')
_ESCAPE = re.compile(r"\\(.)")
_TIMEOUT_S = 30.0
_CONNECT_TIMEOUT_S = 5.0


class RestClient:
    """The API of one cluster. Thread-safe. Close it, or use it as a context manager.

    `on_warning` is called with the text of each `Warning` header (kubectl prints it).
    """

    def __init__(self, access: Access, *, on_warning: Callable[[str], None] | None = None) -> None:
        self.access = access
        self._on_warning = on_warning
        self._pool = urllib3.PoolManager(
            ssl_context=context_for(access),
            retries=False,
            maxsize=4,
            headers={"Accept": JSON, "User-Agent": "sampan"} | _authorization(access),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._pool.clear()

    def get(
        self, path: str, query: Query | None = None, *, timeout_s: float = _TIMEOUT_S, accept: str = JSON
    ) -> Document:
        """`accept`: the content types that the caller understands, as in the header of that name."""
        return self._document("GET", path, query=query, timeout_s=timeout_s, accept=accept)

    def get_text(self, path: str, query: Query | None = None, *, timeout_s: float = _TIMEOUT_S) -> str:
        """For answers that are not JSON: health checks, logs."""
        with self._ask("GET", path, query=query, timeout_s=timeout_s) as answer:
            return answer.data.decode(errors="replace")

    def create(
        self, path: str, body: Document, query: Query | None = None, *, timeout_s: float = _TIMEOUT_S
    ) -> Document:
        return self._document("POST", path, body=body, query=query, timeout_s=timeout_s)

    def replace(self, path: str, body: Document, query: Query | None = None) -> Document:
        return self._document("PUT", path, body=body, query=query)

    def patch(self, path: str, body: Any, *, kind: PatchType = MERGE_PATCH, query: Query | None = None) -> Document:
        return self._document("PATCH", path, body=body, content_type=kind, query=query)

    def delete(
        self, path: str, *, grace_period_s: int | None = None, propagation: str = "Background", uid: str = ""
    ) -> Document:
        """Delete one object. The answer is the object while it is being deleted, or a Status.

        `propagation`: what happens to dependents. The default deletes them later, as kubectl's does; with an empty text
        the API decides by kind, and the pods of a replication controller stay.
        """
        options: Document = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_period_s is not None:
            options["gracePeriodSeconds"] = grace_period_s
        if propagation:
            options["propagationPolicy"] = propagation
        if uid:
            options["preconditions"] = {"uid": uid}
        return self._document("DELETE", path, body=options)

    def watch(
        self,
        path: str,
        *,
        resource_version: str = "",
        query: Query | None = None,
        timeout_s: float | None = None,
        accept: str = JSON,
    ) -> Iterator[WatchEvent]:
        """Events after a version, until the server ends the watch or sends nothing for `timeout_s`.

        Without a version, the events begin with the existing objects. Raises Gone if the version is too old.
        """
        parameters = {"watch": "true", "allowWatchBookmarks": "true", **(query or {})}
        if resource_version:
            parameters["resourceVersion"] = resource_version
        yield from parse_events(self.stream(path, parameters, timeout_s=timeout_s, accept=accept))

    def stream(
        self, path: str, query: Query | None = None, *, timeout_s: float | None = None, accept: str = JSON
    ) -> Iterator[bytes]:
        """The bytes of the answer as they arrive. Without `timeout_s` there is no limit on the time between them."""
        with self._ask("GET", path, query=query, timeout_s=timeout_s, accept=accept) as answer:
            try:
                while chunk := answer.read1(1 << 16):
                    yield chunk
            except HTTPError as error:
                raise ConnectionFailed(f"the connection to {self.access.server} broke: {_text(error)}") from error

    def _document(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        query: Query | None = None,
        timeout_s: float = _TIMEOUT_S,
        accept: str = JSON,
    ) -> Document:
        with self._ask(
            method, path, body=body, content_type=content_type, query=query, timeout_s=timeout_s, accept=accept
        ) as answer:
            document = _parse(answer.data)
        if not isinstance(document, dict):
            raise ConnectionFailed(f"{self.access.server} answered {method} {path} without a JSON object")
        return document

    @contextmanager
    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        query: Query | None = None,
        timeout_s: float | None = None,
        accept: str = JSON,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        headers = {**self._pool.headers, "Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            answer = self._pool.request(
                method,
                self.access.server + path + (f"?{_encode(query)}" if query else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                preload_content=False,
                timeout=urllib3.Timeout(connect=_CONNECT_TIMEOUT_S, read=timeout_s),
                redirect=False,
            )
            self._warn(answer)
            if answer.status >= 400:
                parsed = _parse(answer.read())
                answer.release_conn()
                raise status_error(answer.status, parsed if isinstance(parsed, dict) else {})
        except urllib3.exceptions.SSLError as error:
            if _broke_off(error):
                raise ConnectionFailed(f"no answer from {self.access.server}: it ended the TLS handshake") from error
            raise TrustFailed(f"{self.access.server} is not trusted: {_text(error)}") from error
        except HTTPError as error:
            raise ConnectionFailed(f"no answer from {self.access.server}: {_text(error)}{self._hint(error)}") from error
        try:
            yield answer
        except HTTPError as error:
            raise ConnectionFailed(f"the connection to {self.access.server} broke: {_text(error)}") from error
        finally:
            if answer.length_remaining == 0:
                answer.release_conn()
            answer.close()

    def _hint(self, error: HTTPError) -> str:
        """The likely cause of a broken connection: a server that distrusts our certificate ends it without a reply."""
        if self.access.certificate is None or not isinstance(error, urllib3.exceptions.ProtocolError):
            return ""
        return (
            "; a server ends a connection like this if its CA did not sign the client certificate: "
            "is the kubeconfig of this cluster?"
        )

    def _warn(self, answer: urllib3.BaseHTTPResponse) -> None:
        if self._on_warning is None:
            return
        for header in answer.headers.getlist("Warning"):
            for text in warning_texts(header):
                self._on_warning(text)


def _broke_off(error: urllib3.exceptions.SSLError) -> bool:
    """Whether the server closed the connection during the handshake, which proves nothing about its identity."""
    cause = error.args[0] if error.args else None
    return isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)


def _authorization(access: Access) -> dict[str, str]:
    return {"Authorization": f"Bearer {access.token}"} if access.token else {}


def _encode(query: Query | None) -> str:
    from urllib.parse import urlencode

    return urlencode(query or {})


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def warning_texts(header: str) -> list[str]:
    """The texts of a `Warning` header (RFC 7234, section 5.5), such as `299 - "text"`; a date after a text is dropped.

    What does not have this form is returned as it is. urllib3 decodes headers as Latin-1, but the API sends UTF-8.
    """
    with suppress(UnicodeError):
        header = header.encode("latin-1").decode()
    texts = [_ESCAPE.sub(r"\1", match["text"]) for match in _WARNING.finditer(header)]
    return texts if texts and _WARNING.sub("", header).strip(" \t,") == "" else [header]


def _text(error: HTTPError) -> str:
    """The message of urllib3's error, without the repr of an object that precedes it."""
    return str(error).rpartition(">: ")[2] or type(error).__name__
