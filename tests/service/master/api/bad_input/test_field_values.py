"""Invalid values of the right type: numbers, quantities, choices, and missing required fields.

A value that is not listed here as allowed must be refused with its path, so that new fields are checked or listed.
"""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from master import kinds
from master.objects.scalars import MAX_INT32
from master.registry.resource import Resource
from tests.service.master.api.bad_input.conftest import Direct, PlacesOf, collection, document, refusal
from tests.service.master.api.bad_input.places import Place
from tests.service.master.api.bad_input.samples import EACH_KIND, STORED

MAX_INT64 = (1 << 63) - 1

# Fields that the server sets whatever the client sends: (model, field).
SERVER_SETS = {("ObjectMeta", "generation"), ("ObjectMeta", "deletionGracePeriodSeconds")}
MAY_BE_NEGATIVE = SERVER_SETS | {
    # Negative priorities are allowed.
    ("PodSpec", "priority"),
    ("PriorityClass", "value"),
    # In Kubernetes, a negative value means: evict at once.
    ("Toleration", "tolerationSeconds"),
    # The agent reports whatever value a process ended with.
    ("ContainerStateTerminated", "exitCode"),
    ("ContainerStateTerminated", "signal"),
    # Kubernetes does not check the counts of events.
    ("Event", "count"),
    ("EventSeries", "count"),
    # Exit codes of programs on Windows.
    ("PodFailurePolicyOnExitCodesRequirement", "values"),
}
MAY_BE_LARGE = SERVER_SETS | {
    ("Toleration", "tolerationSeconds"),
    ("ContainerImage", "sizeBytes"),
    ("ReplicationControllerStatus", "observedGeneration"),
    ("ReplicaSetStatus", "observedGeneration"),
    ("DeploymentStatus", "observedGeneration"),
    ("DaemonSetStatus", "observedGeneration"),
    ("StatefulSetStatus", "observedGeneration"),
    ("ControllerRevision", "revision"),
    ("JobSpec", "activeDeadlineSeconds"),
    ("CronJobSpec", "startingDeadlineSeconds"),
    ("PodStatus", "observedGeneration"),
    ("PodCondition", "observedGeneration"),
    ("Condition", "observedGeneration"),
    ("NodeSwapStatus", "capacity"),
    ("ServiceAccountTokenProjection", "expirationSeconds"),
}


# The server makes the selectors of jobs.
REFUSED_AS_A_WHOLE = ("ephemeralContainers", "jobTemplate.spec.selector")
_TEMPLATE = re.compile(r"emplates?(\[1\])?\.(metadata|status)\.")


async def answer(direct: Direct, kind: Resource[Any], place: Place, value: Any) -> tuple[list[str], Any]:
    """The fields that the API refuses, and the value that it would store at the place.

    Values in the status are sent to the subresource status if the kind has one.
    """
    body = place.put(document(kind), value)
    if place.in_status and kind.subresource("status"):
        reply = await direct("PUT", f"{collection(kind)}/x/status?dryRun=All", body)
    else:
        reply = await direct("POST", f"{collection(kind)}?dryRun=All", {**body, "metadata": named(body, "y")})
    if reply.status == 403:
        # Admission refuses values that do not follow from the pod's classes.
        assert place.field.lower() in reply.json["message"].lower()
        return [place.path()], None
    return (refusal(reply, 400, 422), None) if reply.status >= 400 else ([], place.get(reply.json))


def named(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {**body["metadata"], "name": body["metadata"].get("name", "x").replace("x", name)}


@pytest.fixture
async def filled(direct: Direct) -> Direct:
    """A server with one object of each kind."""
    for kind in STORED:
        reply = await direct("POST", collection(kind), document(kind))
        assert reply.status == 201, reply.body
    return direct


@EACH_KIND
async def test_a_number_out_of_the_range_of_its_field_is_refused(
    filled: Direct, kind: Resource[Any], places_of: PlacesOf
) -> None:
    for place in places_of(kind):
        if place.shape not in ("int", "int or str"):
            continue
        field, path = (place.model, place.field), place.path()
        for value in (MAX_INT64 + 1, -MAX_INT64 - 2, 10**30):
            assert path in (await answer(filled, kind, place, value))[0], (path, value)
        for value, allowed in ((-1, field in MAY_BE_NEGATIVE), (MAX_INT32 + 1, field in MAY_BE_LARGE)):
            refused, stored = await answer(filled, kind, place, value)
            assert allowed or path in refused or is_refused_as_a_whole(place, refused), (path, value, stored)
            assert refused or field in SERVER_SETS or stored == value, (path, value, stored)
        if "port" in place.field.lower():
            refused, _ = await answer(filled, kind, place, 65536)
            assert path in refused or is_refused_as_a_whole(place, refused), path
        if "port" in (place.field, place.field[-4:].lower()) and place.extra.get("within", (1,))[0] == 1:
            refused, stored = await answer(filled, kind, place, 0)
            # For optional ports 0 means: no port. Then it is not stored.
            assert path in refused or stored != 0 or is_refused_as_a_whole(place, refused), path


@EACH_KIND
async def test_invalid_quantities_are_refused_and_numbers_are_kept_exactly(
    filled: Direct, kind: Resource[Any], places_of: PlacesOf
) -> None:
    wrong: list[Any] = ["1e999", "-1", "1Zi", "NaN", "inf", "", "1.5.5", "\u0663", "1 Mi", "9" * 70, "0x10", -5, 1e300]
    for place in places_of(kind):
        if place.shape != "quantity":
            continue
        path = place.path()
        # A ratio is at least 1, and a range must fit the amounts around it.
        if "maxLimitRequestRatio" in path or "requestPolicy" in path:
            continue
        for value in wrong:
            assert path in (await answer(filled, kind, place, value))[0], (path, value)
        if kind is kinds.POD and place.field == "overhead":
            # Only the overhead of its runtime class is accepted in a pod.
            continue
        for value, exact in ((2, "2"), (1e-7, "100n"), (0.5, "500m"), (1e-9, "1n")):
            refused, stored = await answer(filled, kind, place, value)
            kept = {"100n": "0.0000001", "500m": "0.5", "1n": "0.000000001"}.get(exact, exact)
            if place.outer[-1] == "map" and value < 0.001 and not place.in_status:
                # Thousandths are the smallest part in a list of resources.
                exact = kept = "1m"
            assert path not in refused and (refused or stored in (exact, kept)), (path, value, stored)


@EACH_KIND
async def test_an_unsupported_choice_is_refused(filled: Direct, kind: Resource[Any], places_of: PlacesOf) -> None:
    for place in places_of(kind):
        if "choice" in place.extra:
            for value in ("Sometimes", place.extra["choice"][-1].upper() + "\0"):
                assert place.path() in (await answer(filled, kind, place, value))[0], place.path()


# Fields that may be empty although Kubernetes always encodes them.
MAY_BE_MISSING = {
    ("HTTPHeader", "value"),
    ("Sysctl", "value"),
    ("EndpointSlice", "endpoints"),
    ("EndpointSlice", "ports"),
    # A hook that sleeps for 0 s does nothing.
    ("SleepAction", "seconds"),
    # 0 is a unit.
    ("ISCSIVolumeSource", "lun"),
    ("EvictionResponder", "priority"),
    ("ControllerRevision", "revision"),
    ("StatefulSetOrdinals", "start"),
    # Not the name of a service in DNS.
    ("StatefulSetSpec", "serviceName"),
    # Without a rule, every failure counts.
    ("PodFailurePolicy", "rules"),
    # Without indexes the whole policy is refused.
    ("SuccessPolicy", "rules"),
    ("PodFailurePolicyOnPodConditionsPattern", "status"),
}


@EACH_KIND
async def test_a_missing_required_field_is_named(filled: Direct, kind: Resource[Any], places_of: PlacesOf) -> None:
    for place in places_of(kind):
        if not place.always or place.in_status or place.shape not in ("str", "list", "int", "int or str"):
            continue
        # The controller sets the owners of the objects that it makes from a template.
        if (place.model, place.field) in MAY_BE_MISSING or _TEMPLATE.search(place.path()):
            continue
        # The enclosing object exists, but is empty.
        enclosing = Place(place.steps[:-1], "struct", "", "", {}, outer=place.outer[:-1])
        body = enclosing.put(document(kind), {}) if enclosing.steps else without(document(kind), place.field)
        reply = await filled("POST", collection(kind), {**body, "metadata": named(body, "y")})
        fields = refusal(reply, 422)
        named_field = any(field.startswith(place.path()) for field in fields)
        assert named_field or is_refused_as_a_whole(place, fields), (place.path(), fields)


def is_refused_as_a_whole(place: Place, fields: list[str]) -> bool:
    """Whether the place is in an object that the API refuses whatever is in it, so that it checks nothing in it."""
    path = place.path()
    return any(name in path and path[: path.index(name) + len(name)] in fields for name in REFUSED_AS_A_WHOLE)


def without(body: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != field}


@EACH_KIND
async def test_an_object_without_a_name_is_refused(filled: Direct, kind: Resource[Any]) -> None:
    for metadata in ({}, {"name": ""}, {"generateName": ""}, {"name": None}):
        reply = await filled("POST", collection(kind), {**document(kind), "metadata": metadata})
        assert "metadata.name" in refusal(reply, 422)
    # Some kinds take almost any name.
    if kind.strategy.name_form("No_Such"):
        wrong = await filled("POST", collection(kind), {**document(kind), "metadata": {"generateName": "No_Such"}})
        assert "metadata.generateName" in refusal(wrong, 422)
    stale = await filled("PUT", f"{collection(kind)}/x", {**document(kind), "metadata": {"resourceVersion": "latest"}})
    assert refusal(stale, 422) == ["metadata.resourceVersion"]


async def test_a_malformed_time_is_refused_before_it_reaches_a_controller(filled: Direct) -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "garbage"}
    reply = await filled.patch(f"{collection(kinds.POD)}/x/status", {"status": {"conditions": [ready]}})
    # The patch itself is well-formed, so the message names the field of its result.
    assert refusal(reply, 422) == ["patch"]
    assert "status.conditions[0].lastTransitionTime: Expected a time" in reply.json["message"]
    assert math.isfinite(reply.status)
