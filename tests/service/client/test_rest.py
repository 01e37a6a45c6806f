"""The client against real TLS on loopback: verbs, certificates, typed refusals, watches, warnings, discovery."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import replace

import pytest

from client import errors
from client.apply import apply
from client.discovery import Discovery
from client.rest import RestClient
from tests.service.client.conftest import Answer, Asked, Server, issue


def status(code: int, reason: str, message: str = "no") -> Answer:
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return code, {}, json.dumps(body).encode()


def test_the_client_presents_its_certificate_and_reads_json(server: Server) -> None:
    server.replies({"items": []})
    with RestClient(server.access) as client:
        assert client.get("/api/v1/pods", {"labelSelector": "a=b"}) == {"items": []}
    (asked,) = server.asked
    assert (asked.peer, asked.path) == ("user", "/api/v1/pods?labelSelector=a%3Db")


def test_a_token_replaces_a_certificate(server: Server) -> None:
    with RestClient(replace(server.access, certificate=None, key=None, token="t")) as client:
        client.get("/")
    assert (server.asked[0].peer, server.asked[0].headers["Authorization"]) == ("", "Bearer t")


def test_each_verb_sends_its_body_and_content_type(server: Server) -> None:
    with RestClient(server.access) as client:
        client.create("/p", {"a": 1})
        client.patch("/p/x", {"a": None})
        client.delete("/p/x", grace_period_s=0, propagation="Orphan", uid="u")
    created, patched, deleted = server.asked
    assert (created.method, created.headers["Content-Type"]) == ("POST", "application/json")
    assert (patched.method, patched.headers["Content-Type"]) == ("PATCH", "application/merge-patch+json")
    options = json.loads(deleted.body)
    assert options["gracePeriodSeconds"] == 0
    assert options["preconditions"] == {"uid": "u"}
    assert options["propagationPolicy"] == "Orphan"


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", errors.BadRequest),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "Conflict", errors.Conflict),
        (409, "AlreadyExists", errors.AlreadyExists),
        (410, "Expired", errors.Gone),
        (413, "RequestEntityTooLarge", errors.TooLarge),
        (422, "Invalid", errors.Invalid),
        (503, "ServiceUnavailable", errors.ServerFailed),
    ],
)
def test_a_refusal_is_an_error_of_its_type(
    server: Server, code: int, reason: str, kind: type[errors.StatusError]
) -> None:
    server.answer = lambda asked: status(code, reason, "why")
    with RestClient(server.access) as client, pytest.raises(kind, match="why") as raised:
        client.get("/x")
    assert type(raised.value) is kind
    assert (raised.value.code, raised.value.reason) == (code, reason)


def test_a_refusal_without_status_body_still_has_its_type(server: Server) -> None:
    server.answer = lambda asked: (404, {}, b"<html>")
    with RestClient(server.access) as client, pytest.raises(errors.NotFound, match="answered 404"):
        client.get("/x")


def test_a_server_that_cannot_be_reached_is_not_a_status() -> None:
    from client.kubeconfig import Access

    with RestClient(Access("https://127.0.0.1:1")) as client, pytest.raises(errors.ConnectionFailed):
        client.get("/")


def test_a_server_that_ends_the_handshake_has_not_answered(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def end_at_once() -> None:
            with listener.accept()[0] as accepted:
                accepted.recv(1 << 16)  # with unread data the kernel would send a reset

        thread = threading.Thread(target=end_at_once)
        thread.start()
        going = replace(server.access, server=f"https://127.0.0.1:{listener.getsockname()[1]}")
        with RestClient(going) as client, pytest.raises(errors.ConnectionFailed, match="handshake"):
            client.get("/")
        thread.join()


def test_a_server_of_another_ca_is_not_trusted(server: Server) -> None:
    other = replace(server.access, authority=issue("other-ca").pem)
    with RestClient(other) as client, pytest.raises(errors.TrustFailed):
        client.get("/")
    assert server.asked == []


def test_warnings_reach_the_callback(server: Server) -> None:
    server.replies({}, Warning='299 - "unknown field \\"psec\\", C:\\\\"')
    warnings: list[str] = []
    with RestClient(server.access, on_warning=warnings.append) as client:
        client.create("/p", {})
    assert warnings == ['unknown field "psec", C:\\']


def test_a_watch_yields_events_and_raises_its_error(server: Server) -> None:
    events = [
        {"type": "ADDED", "object": {"metadata": {"resourceVersion": "7"}}},
        {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}},
    ]
    server.answer = lambda asked: (200, {}, "\n".join(map(json.dumps, events)).encode())
    with RestClient(server.access) as client:
        watch = client.watch("/api/v1/pods", resource_version="5")
        assert next(watch).resource_version == "7"
        with pytest.raises(errors.Gone):
            next(watch)
    assert "resourceVersion=5" in server.asked[0].path


def test_discovery_returns_paths_and_refuses_unknown_kinds(server: Server) -> None:
    resources = [
        {"name": "pods", "kind": "Pod", "namespaced": True},
        {"name": "pods/log", "kind": "Pod", "namespaced": True},
        {"name": "nodes", "kind": "Node", "namespaced": False},
    ]
    server.replies({"resources": resources})
    with RestClient(server.access) as client:
        discovery = Discovery(client)
        assert discovery.resource("v1", "Pod").path("ns", "a", subresource="log") == "/api/v1/namespaces/ns/pods/a/log"
        assert discovery.resource("v1", "Node").path("ns", "a") == "/api/v1/nodes/a"
        with pytest.raises(errors.BadManifest, match='no kind "Pdo"'):
            discovery.resource("v1", "Pdo")
    assert len(server.asked) == 1


def test_apply_creates_a_missing_object(server: Server) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/api/v1":
            resources = [{"name": "services", "kind": "Service", "namespaced": True}]
            return 200, {}, json.dumps({"resources": resources}).encode()
        return status(404, "NotFound") if asked.method == "GET" else (201, {}, asked.body)

    server.answer = answer
    with RestClient(server.access) as client:
        applied = apply(client, Discovery(client), {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}})
    assert (applied.outcome, applied.namespace) == ("created", "default")
    assert server.asked[-1].path.startswith("/api/v1/namespaces/default/services?")
