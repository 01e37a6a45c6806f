"""Claims for devices, and the devices of drivers: rules about several fields, and the cells of the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from master.objects.meta import timestamp
from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy, with_spec
from master.schema.checks import Findings
from master.schema.data import Untyped
from master.schema.forms import device_attribute

_EXACT: Final = "ExactCount"
_ONE_OF_REQUESTS: Final = "exactly one of `exactly` or `firstAvailable` is required"
_NAME_OF_A_REQUEST: Final = "must be the name of a request in the claim, or the name of a request and a subrequest"
_PLACES: Final = ("nodeName", "nodeSelector", "allNodes")

Json = dict[str, Any]


class ResourceClaimStrategy(UntypedStrategy):
    """The rules of claims."""

    def default(self, obj: Untyped) -> Untyped:
        return with_spec(obj, _with_counts(obj.spec))

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        _check_claim(obj.spec, "spec", findings)


class ResourceClaimTemplateStrategy(UntypedStrategy):
    """The rules of templates of claims."""

    def default(self, obj: Untyped) -> Untyped:
        return with_spec(obj, {**obj.spec, "spec": _with_counts(obj.spec.get("spec", {}))})

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        _check_claim(obj.spec.get("spec", {}), "spec.spec", findings)


def _with_counts(spec: Json) -> Json:
    """The claim with one device for each request of an exact number without a number."""
    requests = spec.get("devices", {}).get("requests")
    if not requests:
        return spec
    return {**spec, "devices": {**spec["devices"], "requests": [_with_count(request) for request in requests]}}


def _with_count(request: Json) -> Json:
    new = dict(request)
    if "exactly" in new:
        new["exactly"] = _counted(new["exactly"])
    if "firstAvailable" in new:
        new["firstAvailable"] = [_counted(choice) for choice in new["firstAvailable"]]
    return new


def _counted(request: Json) -> Json:
    return {**request, "count": 1} if request.get("allocationMode") == _EXACT and not request.get("count") else request


def _check_claim(spec: Json, at: str, findings: Findings) -> None:
    devices = spec.get("devices", {})
    names: set[str] = set()
    for index, request in enumerate(devices.get("requests") or ()):
        name = request.get("name", "")
        names |= {name, *(f"{name}/{choice.get('name', '')}" for choice in request.get("firstAvailable", ()))}
        _check_request(request, f"{at}.devices.requests[{index}]", findings)
    for index, constraint in enumerate(devices.get("constraints", ())):
        path = f"{at}.devices.constraints[{index}]"
        _check_names(constraint.get("requests", ()), names, f"{path}.requests", findings)
        _check_constraint(constraint, path, findings)
    for index, config in enumerate(devices.get("config", ())):
        path = f"{at}.devices.config[{index}]"
        _check_names(config.get("requests", ()), names, f"{path}.requests", findings)
        if "opaque" not in config:
            findings.required(f"{path}.opaque")


def _check_request(request: Json, at: str, findings: Findings) -> None:
    choices = request.get("firstAvailable")
    if "exactly" not in request and not choices:
        findings.required(at, _ONE_OF_REQUESTS)
    elif "exactly" in request and choices:
        findings.invalid(at, None, f"{_ONE_OF_REQUESTS}, but multiple fields are set")
    if "exactly" in request:
        _check_amount(request["exactly"], f"{at}.exactly", findings)
    for index, choice in enumerate(choices or ()):
        _check_amount(choice, f"{at}.firstAvailable[{index}]", findings)


def _check_amount(request: Json, at: str, findings: Findings) -> None:
    mode, count = request.get("allocationMode"), request.get("count", 0)
    if mode == "All" and count:
        findings.invalid(f"{at}.count", count, "must not be specified when allocationMode is 'All'")
    elif mode == _EXACT and count <= 0:
        findings.invalid(f"{at}.count", count, "must be greater than zero")
    for index, toleration in enumerate(request.get("tolerations", ())):
        path = f"{at}.tolerations[{index}]"
        if toleration.get("operator") == "Exists" and toleration.get("value"):
            findings.invalid(f"{path}.value", toleration["value"], "must be empty for operator `Exists`")
        if toleration.get("operator") == "Equal" and not toleration.get("key"):
            findings.required(f"{path}.key", "must not be empty for operator `Equal`")


def _check_names(used: Iterable[str], names: set[str], at: str, findings: Findings) -> None:
    for index, name in enumerate(used):
        if name not in names:
            findings.invalid(f"{at}[{index}]", name, _NAME_OF_A_REQUEST)


def _check_constraint(constraint: Json, at: str, findings: Findings) -> None:
    match, distinct = constraint.get("matchAttribute"), constraint.get("distinctAttribute")
    if match is not None and distinct is not None:
        why = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
        findings.required(at, why)
    elif match is None and distinct is None:
        findings.required(f"{at}.matchAttribute")
    for name, attribute in (("matchAttribute", match), ("distinctAttribute", distinct)):
        if attribute is None:
            continue
        # A claim names attributes with their domain, as it may get devices of several drivers.
        wrong = device_attribute(attribute) or ("" if "/" in attribute else "must include a domain")
        findings.form(f"{at}.{name}", attribute, wrong)


class ResourceSliceStrategy(UntypedStrategy):
    """The rules of devices that a driver offers. Their taints get the time at which they were added."""

    def for_create(self, obj: Untyped, now: datetime) -> Untyped:
        return _with_times(obj, now)

    def for_update(self, new: Untyped, old: Untyped, now: datetime) -> Untyped:
        return _with_times(new, now)

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec = obj.spec
        places = [name for name in (*_PLACES, "perDeviceNodeSelection") if name in spec]
        what = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
        _check_places(spec, places, "spec", what, findings)
        if len(spec.get("nodeSelector", {}).get("nodeSelectorTerms") or (None,)) != 1:
            terms = spec["nodeSelector"]["nodeSelectorTerms"]
            findings.invalid("spec.nodeSelector.nodeSelectorTerms", terms, "must have exactly one node selector term")
        if "sharedCounters" in spec and "devices" in spec:
            findings.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed")
        for index, device in enumerate(spec.get("devices", ())):
            at = f"spec.devices[{index}]"
            for name, attribute in device.get("attributes", {}).items():
                if len(attribute) != 1:
                    findings.invalid(f"{at}.attributes[{name}]", "", "exactly one value must be specified")
            own = [name for name in _PLACES if name in device]
            if spec.get("perDeviceNodeSelection"):
                what = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required"
                _check_places(device, own, at, what, findings)
            elif own:
                why = "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is true"
                findings.invalid(at, None, why)


def _with_times(obj: Untyped, now: datetime) -> Untyped:
    devices = obj.spec.get("devices")
    if not devices or not any(device.get("taints") for device in devices):
        return obj
    added = {"timeAdded": timestamp(now)}
    dated = [
        {**device, "taints": [{**added, **taint} for taint in device["taints"]]} if device.get("taints") else device
        for device in devices
    ]
    return with_spec(obj, {**obj.spec, "devices": dated})


def _check_places(holder: Mapping[str, Any], places: Sequence[str], at: str, what: str, findings: Findings) -> None:
    if not places:
        findings.required(at, what)
    elif len(places) > 1:
        findings.invalid(at, f"{{{', '.join(places)}}}", f"{what}, but multiple fields are set")
    for name in places:
        if holder[name] in ("", False):
            findings.invalid(f"{at}.{name}", holder[name], "must be either unset or set to a value")


class DeviceTaintRuleStrategy(UntypedStrategy):
    """The rules of taints of devices. A taint gets the time at which it was added."""

    def for_create(self, obj: Untyped, now: datetime) -> Untyped:
        return _dated(super().for_create(obj, now), None, now)

    def for_update(self, new: Untyped, old: Untyped, now: datetime) -> Untyped:
        return _dated(super().for_update(new, old, now), old, now)


def _dated(obj: Untyped, old: Untyped | None, now: datetime) -> Untyped:
    taint = obj.spec.get("taint", {})
    if taint.get("timeAdded"):
        return obj
    before = {} if old is None else old.spec.get("taint", {})
    is_same = {**before, "timeAdded": None} == {**taint, "timeAdded": None}
    added = before.get("timeAdded") if is_same else None
    return with_spec(obj, {**obj.spec, "taint": {**taint, "timeAdded": added or timestamp(now)}})


def _state(obj: Untyped, now: datetime) -> Cell:
    status = obj.status or {}
    states = ["deleted"] if obj.metadata.deletion_timestamp else []
    if "allocation" in status:
        states += ["allocated", *(["reserved"] if status.get("reservedFor") else [])]
    elif not states:
        states.append("pending")
    return ",".join(states)


RESOURCECLAIM: Final = Supplement(ResourceClaimStrategy, cells={"State": _state})
RESOURCECLAIMTEMPLATE: Final = Supplement(ResourceClaimTemplateStrategy)
RESOURCESLICE: Final = Supplement(ResourceSliceStrategy)
DEVICETAINTRULE: Final = Supplement(DeviceTaintRuleStrategy)
