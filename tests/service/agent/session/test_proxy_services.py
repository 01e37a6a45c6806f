"""Requests through the proxies of services: which pod they reach."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.processbed import ADDRESS, Bed
from tests.service.agent.session.proxied import NAMESPACE, mirror, serving

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("pod_runs")]


async def service(bed: Bed, port: int, *endpoints: dict[str, Any]) -> None:
    spec = {"ports": [{"name": "web", "port": 8080, "targetPort": port}]}
    await bed.client("POST", f"{NAMESPACE}/services", {"metadata": {"name": "shop"}, "spec": spec})
    labels = {"kubernetes.io/service-name": "shop"}
    body = {
        "metadata": {"name": "shop-1", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": port}],
        "endpoints": list(endpoints),
    }
    answer = await bed.client("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", body)
    assert answer.status == 201, answer.body


THE_POD = {"addresses": [ADDRESS], "targetRef": {"kind": "Pod", "namespace": "default", "name": "web"}}


@pytest.mark.parametrize("name", ["shop:8080", "shop:web", "http:shop:web"])
async def test_a_service_leads_to_a_ready_pod(bed: Bed, name: str) -> None:
    stranger = {"addresses": ["10.9.9.9"]}
    asleep = {**THE_POD, "addresses": ["10.244.0.6"], "conditions": {"ready": False}}
    async with serving(mirror) as port:
        await service(bed, port, stranger, asleep, THE_POD)
        answer = await bed.client("GET", f"{NAMESPACE}/services/{name}/proxy/page?q=1")
    assert (answer.status, answer.json["path"]) == (200, "/page?q=1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("shop:81", 'no service port 81 found for service "shop"', id="number"),
        pytest.param("shop", 'no endpoints available for service "shop"', id="no name"),
        pytest.param(
            "shop:web",
            'no endpoints available for service "shop": no ready endpoint is a pod of this namespace',
            id="not a pod",
        ),
    ],
)
async def test_a_service_that_leads_nowhere_is_unavailable(bed: Bed, name: str, message: str) -> None:
    await service(bed, 80, {"addresses": ["10.9.9.9"]}, {**THE_POD, "addresses": ["10.244.0.7"]})
    answer = await bed.client("GET", f"{NAMESPACE}/services/{name}/proxy/")
    assert (answer.status, answer.json["message"]) == (503, message)
