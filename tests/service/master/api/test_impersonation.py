"""Requests that a caller sends as another user."""

from __future__ import annotations

import pytest

from tests.masters import Client

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ACCOUNT = "system:serviceaccount:default:robot"
MASTERS = "system:masters"


async def test_the_request_has_the_rights_of_the_other_user(api: Client) -> None:
    reply = await api("GET", "/api/v1/pods", headers={"Impersonate-User": ACCOUNT})
    assert reply.status == 403
    assert f'User "{ACCOUNT}" cannot list resource "pods"' in reply.json["message"]
    reply = await api("GET", "/metrics", headers={"impersonate-user": "jane"})
    assert reply.status == 403
    reply = await api("GET", "/api/v1/pods", headers={"Impersonate-User": "jane", "Impersonate-Group": MASTERS})
    assert reply.status == 200


async def test_the_user_has_what_the_headers_say(api: Client) -> None:
    headers = {
        "Impersonate-User": "jane",
        "Impersonate-Group": MASTERS,
        "Impersonate-Uid": "17",
        "Impersonate-Extra-Example.com%2fScope": "a",
    }
    reply = await api("POST", REVIEWS, {}, headers=headers)
    assert reply.json["status"]["userInfo"] == {
        "username": "jane",
        "uid": "17",
        "groups": ["system:authenticated", MASTERS],
        "extra": {"example.com/scope": ["a"]},
    }


@pytest.mark.parametrize("header", ["Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-scope"])
async def test_without_a_user_nothing_can_be_impersonated(api: Client, header: str) -> None:
    reply = await api("GET", "/api/v1/pods", headers={header: "x"})
    assert (reply.status, reply.json["reason"]) == (400, "BadRequest")


async def test_only_those_who_may_do_it_impersonate(api: Client) -> None:
    headers = {"Impersonate-User": "jane", "Impersonate-Group": MASTERS}
    assert (await api("GET", "/api/v1/pods", headers=headers, context=api.anonymous)).status == 401
    reply = await api("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "robot"}})
    reply = await api("POST", "/api/v1/namespaces/default/serviceaccounts/robot/token", {"spec": {}})
    headers["Authorization"] = f"Bearer {reply.json['status']['token']}"
    reply = await api("GET", "/api/v1/pods", headers=headers, context=api.anonymous)
    assert reply.status == 403
    assert f'"{ACCOUNT}" cannot impersonate resource "users"' in reply.json["message"]
