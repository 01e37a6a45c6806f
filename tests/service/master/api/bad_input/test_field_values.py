"""Values of the right type that a field must not have: numbers, quantities, choices, and what must be there.

What is not listed here as allowed must be refused by its path, so that a field added later is checked or listed.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from master.api import kinds
from master.objects.kind import KindSpec
from master.objects.scalars import MAX_INT32
from tests.service.master.api.bad_input.conftest import Direct, collection, document, refusal
from tests.service.master.api.bad_input.places import Place, places

EACH_KIND = pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.kind)
MAX_INT64 = (1 << 63) - 1

# Fields that the server sets, whatever a client says: (model, field).
SERVER_SETS = {("ObjectMeta", "generation"), ("ObjectMeta", "deletionGracePeriodSeconds")}
MAY_BE_NEGATIVE = SERVER_SETS | {
    # Pods below all others.
    ("PodSpec", "priority"),
    # Kubernetes: at once.
    ("Toleration", "tolerationSeconds"),
    # Whatever a process ended with.
    ("ContainerStateTerminated", "exitCode"),
    ("ContainerStateTerminated", "signal"),
    # Kubernetes does not look at an event's counts.
    ("Event", "count"),
    ("EventSeries", "count"),
}
MAY_BE_LARGE = SERVER_SETS | {
    ("Toleration", "tolerationSeconds"),
    ("ContainerImage", "sizeBytes"),
    ("ReplicationControllerStatus", "observedGeneration"),
}


async def answer(direct: Direct, kind: KindSpec[Any], place: Place, value: Any) -> tuple[list[str], Any]:
    """The paths that are refused, or what the API would store there. Status goes by its own way where there is one."""
    body = place.put(document(kind), value)
    if place.in_status and "status" in kind.subresources:
        reply = await direct("PUT", f"{collection(kind)}/x/status?dryRun=All", body)
    else:
        reply = await direct("POST", f"{collection(kind)}?dryRun=All", {**body, "metadata": named(body, "y")})
    return (refusal(reply, 400, 422), None) if reply.status >= 400 else ([], place.get(reply.json))


def named(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {**body["metadata"], "name": body["metadata"].get("name", "x").replace("x", name)}


@pytest.fixture
async def made(direct: Direct) -> Direct:
    """With one object of each kind."""
    for kind in kinds.ALL:
        reply = await direct("POST", collection(kind), document(kind))
        assert reply.status == 201, reply.body
    return direct


@EACH_KIND
async def test_a_number_out_of_its_fields_range_is_refused(made: Direct, kind: KindSpec[Any]) -> None:
    for place in places(kind.model):
        if place.shape not in ("int", "int or str"):
            continue
        field, path = (place.model, place.field), place.path()
        for value in (MAX_INT64 + 1, -MAX_INT64 - 2, 10**30):
            assert path in (await answer(made, kind, place, value))[0], (path, value)
        for value, allowed in ((-1, field in MAY_BE_NEGATIVE), (MAX_INT32 + 1, field in MAY_BE_LARGE)):
            refused, stored = await answer(made, kind, place, value)
            assert allowed or path in refused, (path, value, stored)
            assert refused or field in SERVER_SETS or stored == value, (path, value, stored)
        if "port" in place.field.lower():
            assert path in (await answer(made, kind, place, 65536))[0], path
        if "port" in (place.field, place.field[-4:].lower()) and place.extra.get("within", (1,))[0] == 1:
            refused, stored = await answer(made, kind, place, 0)
            # 0 means none where a port may be left out; then it is not stored.
            assert path in refused or stored != 0, path


@EACH_KIND
async def test_what_is_no_quantity_is_refused_and_a_number_is_kept_exactly(made: Direct, kind: KindSpec[Any]) -> None:
    wrong: list[Any] = ["1e999", "-1", "1Zi", "NaN", "inf", "", "1.5.5", "\u0663", "1 Mi", "9" * 70, "0x10", -5, 1e300]
    for place in places(kind.model):
        if place.shape != "quantity":
            continue
        path = place.path(quantity=True)
        for value in wrong:
            assert path in (await answer(made, kind, place, value))[0], (path, value)
        for value, exact in ((2, "2"), (1e-7, "100n"), (0.5, "500m"), (1e-9, "1n")):
            refused, stored = await answer(made, kind, place, value)
            kept = {"100n": "0.0000001", "500m": "0.5", "1n": "0.000000001"}.get(exact, exact)
            assert path not in refused and (refused or stored in (exact, kept)), (path, value, stored)


@EACH_KIND
async def test_a_choice_that_there_is_not_is_refused(made: Direct, kind: KindSpec[Any]) -> None:
    for place in places(kind.model):
        if "choice" in place.extra:
            for value in ("Sometimes", place.extra["choice"][-1].upper() + "\0"):
                assert place.path() in (await answer(made, kind, place, value))[0], place.path()


# What Kubernetes lets be empty although it always writes it.
MAY_BE_MISSING = {
    ("HTTPHeader", "value"),
    ("Sysctl", "value"),
    ("EndpointSlice", "endpoints"),
    ("EndpointSlice", "ports"),
}


@EACH_KIND
async def test_what_must_be_there_is_asked_for(made: Direct, kind: KindSpec[Any]) -> None:
    for place in places(kind.model):
        if not place.always or place.in_status or place.shape not in ("str", "list", "int", "int or str"):
            continue
        # The owners of what is made from a template are the controller's to say.
        if (place.model, place.field) in MAY_BE_MISSING or place.path().startswith("spec.template.metadata"):
            continue
        # The object around it is there, and says nothing.
        around = Place(place.steps[:-1], "struct", "", "", {}, outer=place.outer[:-1])
        body = around.put(document(kind), {}) if around.steps else without(document(kind), place.field)
        reply = await made("POST", collection(kind), {**body, "metadata": named(body, "y")})
        fields = refusal(reply, 422)
        assert any(field.startswith(place.path()) for field in fields), (place.path(), fields)


def without(body: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != field}


@EACH_KIND
async def test_an_object_without_a_name_is_refused(made: Direct, kind: KindSpec[Any]) -> None:
    for metadata in ({}, {"name": ""}, {"generateName": ""}, {"name": None}):
        reply = await made("POST", collection(kind), {**document(kind), "metadata": metadata})
        assert "metadata.name" in refusal(reply, 422)
    wrong = await made("POST", collection(kind), {**document(kind), "metadata": {"generateName": "No_Such"}})
    assert "metadata.generateName" in refusal(wrong, 422)
    stale = await made("PUT", f"{collection(kind)}/x", {**document(kind), "metadata": {"resourceVersion": "latest"}})
    assert refusal(stale, 422) == ["metadata.resourceVersion"]


async def test_a_time_of_no_calendar_does_not_reach_a_controller(made: Direct) -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "garbage"}
    reply = await made.patch(f"{collection(kinds.POD)}/x/status", {"status": {"conditions": [ready]}})
    assert refusal(reply, 400) == ["status.conditions[0].lastTransitionTime"]
    assert math.isfinite(reply.status)
