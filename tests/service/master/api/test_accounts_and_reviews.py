"""Tokens of service accounts over HTTP, and the reviews that say who a caller is and what it may do."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from master import kinds
from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.serviceaccount import ServiceAccount
from master.objects.meta import ObjectMeta
from tests.masters import Client

ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/robot"
REVIEWS = "/apis/authentication.k8s.io/v1"
ACCESS = "/apis/authorization.k8s.io/v1"


@pytest.fixture(autouse=True)
async def account(resources: Resources, me: Caller) -> None:
    made = ServiceAccount(metadata=ObjectMeta(name="robot"))
    await resources.create(me, kinds.SERVICEACCOUNT, made, namespace="default")


async def token(api: Client, spec: dict[str, Any] | None = None) -> str:
    reply = await api("POST", f"{ACCOUNT}/token", {"spec": spec or {}})
    assert reply.status == 201, reply.body
    return str(reply.json["status"]["token"])


async def test_a_token_request_is_answered_with_the_token_and_its_end(api: Client) -> None:
    reply = await api("POST", f"{ACCOUNT}/token", {"spec": {"audiences": ["vault"], "expirationSeconds": 1200}})
    assert (reply.status, reply.json["kind"]) == (201, "TokenRequest")
    assert reply.json["spec"] == {"audiences": ["vault"], "expirationSeconds": 1200}
    assert reply.json["metadata"]["name"] == "robot"
    assert reply.json["status"]["expirationTimestamp"] == "2026-01-01T00:20:00Z"
    assert reply.json["status"]["token"].count(".") == 2


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ({"expirationSeconds": 599}, 422, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": (1 << 32) + 1}, 422, "may not specify a duration larger than 2^32 seconds"),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "web"}}, 404, 'pods "web" not found'),
        ({"boundObjectRef": {"kind": "Service", "apiVersion": "v1", "name": "web"}}, 400, "cannot bind token"),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "other"}}, 400, "different serviceaccount"),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "mine", "uid": "x"}}, 409, "does not match"),
    ],
)
async def test_a_bad_token_request_is_refused(
    api: Client,
    resources: Resources,
    me: Caller,
    spec: dict[str, Any],
    code: int,
    message: str,
) -> None:
    for name, of in (("mine", "robot"), ("other", "default")):
        pod = Pod(
            metadata=ObjectMeta(name=name),
            spec=PodSpec(containers=(Container(name="app", image="app:1"),), service_account_name=of),
        )
        await resources.create(me, kinds.POD, pod, namespace="default")
    reply = await api("POST", f"{ACCOUNT}/token", {"spec": spec})
    assert reply.status == code
    assert message in reply.json["message"]


async def test_no_token_for_an_account_that_does_not_exist(api: Client) -> None:
    reply = await api("POST", ACCOUNT.replace("robot", "nobody") + "/token", {"spec": {}})
    assert reply.status == 404


async def test_a_caller_with_a_token_is_known_and_may_do_nothing(api: Client) -> None:
    headers = {"Authorization": f"Bearer {await token(api)}"}
    reply = await api("GET", "/api/v1/pods", headers=headers, context=api.anonymous)
    assert reply.status == 403
    assert 'User "system:serviceaccount:default:robot" cannot list resource "pods"' in reply.json["message"]
    for wrong in ("Bearer a.b.c", "Bearer ", "Basic YTpi"):
        reply = await api("GET", "/api/v1/pods", headers={"Authorization": wrong}, context=api.anonymous)
        assert (reply.status, reply.json["reason"]) == (401, "Unauthorized")


async def test_a_websocket_may_have_its_token_among_the_subprotocols(api: Client) -> None:
    encoded = base64.urlsafe_b64encode((await token(api)).encode()).decode().rstrip("=")
    names = f"v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.{encoded}"
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": names}
    reply = await api("GET", "/api/v1/pods", headers=headers, context=api.anonymous)
    assert reply.status == 403 and 'User "system:serviceaccount:default:robot" cannot list' in reply.json["message"]
    wrong = headers | {"Sec-WebSocket-Protocol": "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.YS5iLmM"}
    assert (await api("GET", "/api/v1/pods", headers=wrong, context=api.anonymous)).status == 401
    plain = {"Sec-WebSocket-Protocol": names}
    assert (await api("GET", "/api/v1/pods", headers=plain, context=api.anonymous)).status == 401, "only of websockets"


async def test_a_token_review_says_whose_a_token_is(api: Client) -> None:
    reply = await api("POST", f"{REVIEWS}/tokenreviews", {"spec": {"token": await token(api)}})
    assert reply.status == 201
    status = reply.json["status"]
    assert status["authenticated"] is True
    assert status["user"]["username"] == "system:serviceaccount:default:robot"
    assert status["audiences"] == ["https://kubernetes.default.svc.cluster.local"]
    reply = await api("POST", f"{REVIEWS}/tokenreviews", {"spec": {"token": "a.b.c"}})
    assert reply.json["status"] == {"error": "invalid bearer token"} | {
        key: value for key, value in reply.json["status"].items() if key == "user"
    }
    assert (await api("POST", f"{REVIEWS}/tokenreviews", {"spec": {}})).status == 400


async def test_a_review_of_oneself(api: Client) -> None:
    reply = await api("POST", f"{REVIEWS}/selfsubjectreviews", {})
    assert reply.status == 201
    assert reply.json["status"]["userInfo"] == {
        "username": "sampan-admin",
        "groups": ["system:authenticated", "system:masters"],
    }


PODS = {"verb": "list", "resource": "pods", "namespace": "default"}


async def test_access_reviews_answer_from_the_authorizer(api: Client) -> None:
    mine = await api("POST", f"{ACCESS}/selfsubjectaccessreviews", {"spec": {"resourceAttributes": PODS}})
    assert (mine.status, mine.json["status"]) == (201, {"allowed": True})
    spec = {"user": "system:serviceaccount:default:robot", "resourceAttributes": PODS}
    other = await api("POST", f"{ACCESS}/subjectaccessreviews", {"spec": spec})
    assert other.json["status"]["allowed"] is False
    local = f"{ACCESS}/namespaces/default/localsubjectaccessreviews"
    masters = {"groups": ["system:masters"], "resourceAttributes": PODS}
    assert (await api("POST", local, {"spec": masters})).json["status"]["allowed"] is True


@pytest.mark.parametrize(
    ("path", "spec", "field"),
    [
        ("selfsubjectaccessreviews", {}, "spec"),
        ("subjectaccessreviews", {"resourceAttributes": PODS}, "spec.user"),
        (
            "namespaces/kube-system/localsubjectaccessreviews",
            {"user": "u", "resourceAttributes": PODS},
            "spec.resourceAttributes.namespace",
        ),
        (
            "namespaces/default/localsubjectaccessreviews",
            {"user": "u", "nonResourceAttributes": {"path": "/healthz", "verb": "get"}},
            "spec.nonResourceAttributes",
        ),
    ],
)
async def test_an_incomplete_access_review_is_refused(
    api: Client,
    path: str,
    spec: dict[str, Any],
    field: str,
) -> None:
    reply = await api("POST", f"{ACCESS}/{path}", {"spec": spec})
    assert reply.status == 422
    assert [cause["field"] for cause in reply.json["details"]["causes"]] == [field]


@pytest.mark.parametrize(
    ("path", "metadata", "code"),
    [
        ("selfsubjectaccessreviews", {"name": "mine"}, 422),
        ("subjectaccessreviews", {"labels": {"a": "b"}}, 422),
        ("namespaces/default/localsubjectaccessreviews", {"namespace": "default"}, 201),
        ("namespaces/default/localsubjectaccessreviews", {"namespace": "default", "name": "mine"}, 422),
    ],
)
async def test_an_access_review_has_no_metadata(api: Client, path: str, metadata: dict[str, Any], code: int) -> None:
    spec = {"resourceAttributes": PODS} if path.startswith("self") else {"user": "u", "resourceAttributes": PODS}
    reply = await api("POST", f"{ACCESS}/{path}", {"metadata": metadata, "spec": spec})
    assert reply.status == code, reply.json
    if code == 422:
        assert [cause["field"] for cause in reply.json["details"]["causes"]] == ["metadata"]


async def test_a_token_request_with_the_uid_of_another_account_is_a_conflict(api: Client) -> None:
    uid = (await api("GET", ACCOUNT)).json["metadata"]["uid"]
    made = await api("POST", f"{ACCOUNT}/token", {"metadata": {"uid": uid}})
    assert (made.status, made.json["metadata"]["uid"]) == (201, uid)
    refused = await api("POST", f"{ACCOUNT}/token", {"metadata": {"uid": "other"}})
    assert refused.status == 409
    assert "does not match the UID of the service account" in refused.json["message"]


async def test_a_rules_review_lists_the_permissions(api: Client) -> None:
    reply = await api("POST", f"{ACCESS}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})
    rules = reply.json["status"]["resourceRules"]
    assert rules == [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    assert {"verbs": ["*"], "nonResourceURLs": ["*"]} in reply.json["status"]["nonResourceRules"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_reviews_can_only_be_created(api: Client, method: str) -> None:
    assert (await api(method, f"{REVIEWS}/tokenreviews", {})).status == 405


@pytest.mark.parametrize(
    ("accept", "code"),
    [
        ("application/json;as=Table;v=v1;g=meta.k8s.io", 406),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", 201),
        ("application/vnd.kubernetes.protobuf", 406),
        ("application/vnd.kubernetes.protobuf,application/json", 201),
    ],
)
@pytest.mark.parametrize(
    ("path", "spec"),
    [
        pytest.param(f"{ACCESS}/selfsubjectaccessreviews", {"nonResourceAttributes": {"path": "/"}}, id="review"),
        pytest.param(f"{ACCOUNT}/token", {}, id="subresource"),
    ],
)
async def test_reviews_and_tokens_have_no_tables(
    api: Client, path: str, spec: dict[str, Any], accept: str, code: int
) -> None:
    reply = await api("POST", path, {"spec": spec}, headers={"Accept": accept})
    assert (reply.status, reply.json.get("reason")) == (code, "NotAcceptable" if code == 406 else None)
