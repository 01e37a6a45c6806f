"""What the path of a request to a proxy says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from master import kinds
from master.api.errors import BadRequest
from master.api.remote.proxytargets import ProxyTarget, port_number, target_of
from master.api.rest.routes import Routes
from master.registry.subresource import Proxy


def call(raw_path: str) -> Any:
    route = Routes(kinds.registry()).find(raw_path).route
    assert route is not None
    assert isinstance(route.subresource, Proxy)
    return cast(Any, SimpleNamespace(route=route, http=SimpleNamespace(raw_path=raw_path)))


PODS = "/api/v1/namespaces/ns/pods"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{PODS}/web/proxy", ProxyTarget("", "web", "", "", f"{PODS}/web/proxy")),
        (f"{PODS}/web/proxy/", ProxyTarget("", "web", "", "/", f"{PODS}/web/proxy")),
        (f"{PODS}/web:80/proxy/a/b", ProxyTarget("", "web", "80", "/a/b", f"{PODS}/web:80/proxy")),
        (f"{PODS}/https:web:/proxy//x%2F", ProxyTarget("https", "web", "", "//x%2F", f"{PODS}/https:web:/proxy")),
        (f"{PODS}/web%3A80/proxy/?a=/b", ProxyTarget("", "web", "80", "/", f"{PODS}/web:80/proxy")),
        ("/api/v1/nodes/n1:10250/proxy/pods", ProxyTarget("", "n1", "10250", "/pods", "/api/v1/nodes/n1:10250/proxy")),
    ],
)
def test_targets(path: str, expected: ProxyTarget) -> None:
    assert target_of(call(path)) == expected


@pytest.mark.parametrize("name", ["a:b:c:d", ":80", "ftp:a:80", "HTTP:a:80"])
def test_names_that_lead_nowhere(name: str) -> None:
    with pytest.raises(BadRequest, match=f'invalid pod request "{name}"'):
        target_of(call(f"{PODS}/{name}/proxy/"))


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "x", "\u0663"])
def test_texts_that_are_not_ports(text: str) -> None:
    with pytest.raises(BadRequest):
        port_number(text)


def test_only_a_proxy_has_a_path_behind_it() -> None:
    for path in (f"{PODS}/web/log/x", f"{PODS}/web/status/x", f"{PODS}/web/proxies/x"):
        assert Routes(kinds.registry()).find(path).route is None


def test_paths_behind_a_proxy_do_not_fill_the_memory() -> None:
    routes = Routes(kinds.registry())
    assert routes.find(f"{PODS}/web/proxy/x").route is not None
    assert not len(routes)
