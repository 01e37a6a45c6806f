"""A wrong value is reported once, although some rules are declared in the models and others are in the strategies."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from master import kinds
from master.objects.scalars import MAX_INT32
from master.registry.resource import Resource
from master.registry.untyped import UntypedStrategy
from tests.service.master.api.bad_input.conftest import Direct, collection, document, refusal
from tests.service.master.api.bad_input.places import Place, places_of_kind
from tests.service.master.api.bad_input.samples import EACH_KIND, STORED

_WRONG: dict[str, tuple[Any, ...]] = {
    "int": (-1, 0, 65536, MAX_INT32 + 1),
    "int or str": (-1, 0, 65536, "", "A b", "x" * 70),
    "str": ("", "A b", "/", "..", "x" * 300),
    "quantity": ("", "-1", "x", "9" * 70),
    "time": ("x",),
    "list": ([],),
    "struct": ({},),
    # The value is valid as a label, as a quantity and in base64.
    "map": ({"A b": "1111"}, {"": "1111"}),
}
# A label with a bad key does not match the selector either, and available pods are ready ones and exist.
_SEVERAL_CAUSES = {
    "spec.template.metadata.labels",
    "status.availableReplicas",
    # A text that is not a percentage counts as 0, as in Kubernetes.
    "spec.updateStrategy.rollingUpdate.maxUnavailable",
    # A negative number is not 0.
    "spec.updateStrategy.rollingUpdate.maxSurge",
    # The form and the length are two rules.
    "spec.managedBy",
    "spec.jobTemplate.spec.managedBy",
}


@pytest.fixture
async def filled(direct: Direct) -> Direct:
    """A server with one object of each kind, for writes of its status."""
    for kind in STORED:
        assert (await direct("POST", collection(kind), document(kind))).status == 201
    return direct


@EACH_KIND
async def test_a_wrong_value_has_one_cause(filled: Direct, kind: Resource[Any]) -> None:
    if kind in kinds.PASSIVE and type(kind.strategy) is not UntypedStrategy:
        pytest.skip("rules that are Kubernetes' own report a field as often as Kubernetes does")
    refused = 0
    for place in places_of_kind(kind):
        for value in _WRONG.get(place.shape, ()):
            if (fields := await _causes(filled, kind, place, value)) is not None:
                refused += 1
                repeated = [field for field, count in Counter(fields).items() if count > 1]
                assert not repeated or place.path() in _SEVERAL_CAUSES, (place.path(), value, repeated)
    assert refused


async def _causes(direct: Direct, kind: Resource[Any], place: Place, value: Any) -> list[str] | None:
    """The fields of the causes; None if the value is accepted. All kinds have metadata: only pods test theirs."""
    if place.steps[0] == "metadata" and kind is not kinds.POD:
        return None
    body = place.put(document(kind), value)
    if place.in_status and kind.subresource("status"):
        reply = await direct("PUT", f"{collection(kind)}/x/status?dryRun=All", body)
    else:
        reply = await direct("POST", f"{collection(kind)}?dryRun=All", _renamed(body))
    if reply.status < 400:
        return None
    return refusal(reply, 400, 403, 422)


def _renamed(body: dict[str, Any]) -> dict[str, Any]:
    """The object with a name that is free."""
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and metadata.get("name") == "x":
        return {**body, "metadata": {**metadata, "name": "y"}}
    return body
