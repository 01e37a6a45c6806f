"""Tokens among the subprotocols of a websocket: what is one, and what is left for others."""

from __future__ import annotations

import base64

import pytest

from master.api.errors import Unauthorized
from master.api.remote.bearer import divided, token_of

PREFIX = "base64url.bearer.authorization.k8s.io."


def subprotocol(token: str) -> str:
    return PREFIX + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


@pytest.mark.parametrize("token", ["a.b.c", "a", "ab", "abcd", "\xff\xfe>?"])
def test_the_token(token: str) -> None:
    assert token_of(["v5.channel.k8s.io", subprotocol(token)]) == token
    assert token_of([f"{subprotocol(token)},v4.channel.k8s.io , x"]) == token


@pytest.mark.parametrize("values", [[], [""], ["v4.channel.k8s.io"], [f"{PREFIX}, x"]])
def test_no_token(values: list[str]) -> None:
    assert token_of(values) == ""


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([subprotocol("a")], id="alone"),
        pytest.param([f"{subprotocol('a')}, {subprotocol('b')}, x"], id="two"),
        pytest.param([f"{PREFIX}YQ==, x"], id="padding"),
        pytest.param([f"{PREFIX}a, x"], id="too short"),
        pytest.param([f"{PREFIX}a*bc, x"], id="another letter"),
        pytest.param([f"{PREFIX}_w, x"], id="not UTF-8"),
    ],
)
def test_what_is_refused(values: list[str]) -> None:
    with pytest.raises(Unauthorized):
        token_of(values)


def test_the_others_keep_their_order() -> None:
    assert divided([f"b,{subprotocol('x')}", "a"]) == ([subprotocol("x")], ["b", "a"])
