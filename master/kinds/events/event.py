"""Event of events.k8s.io/v1: the second version of the core group's events, with stricter rules and other names."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from msgspec import field

from master.objects.meta import Model, Object, ObjectReference, always
from master.objects.scalars import Int32, Time
from master.registry.resource import Version
from master.schema.checks import Findings
from master.schema.schema import Typed


class EventSource(Model, frozen=True, kw_only=True):
    """The component that reported the event, and its host."""

    component: str = ""
    host: str = ""


class EventSeries(Model, frozen=True, kw_only=True):
    """How often the event happened, and when it happened last."""

    count: Int32 = 0
    last_observed_time: Time = ""


class Event(Object, frozen=True, kw_only=True):
    """A report for people about something that happened to an object (`regarding`). Kept for one hour.

    `reportingController` is the component that reports and `reportingInstance` its process; `action` is what it did,
    `reason` why, in one word each, and `note` a sentence for people. `type` is Normal or Warning. The deprecated fields
    are those of the core group's events and cannot be set here.
    """

    TYPE: ClassVar = "events.v1.Event"

    event_time: Time | None = always(None)
    series: EventSeries | None = None
    reporting_controller: str = ""
    reporting_instance: str = ""
    action: str = ""
    reason: str = ""
    regarding: ObjectReference = field(default_factory=ObjectReference)
    related: ObjectReference | None = None
    note: str = ""
    type: str = ""
    deprecated_source: EventSource = field(default_factory=EventSource)
    deprecated_first_timestamp: Time | None = None
    deprecated_last_timestamp: Time | None = None
    deprecated_count: Int32 = 0


# The names of the same fields in both versions.
_CORE: Final = {
    "reportingController": "reportingComponent",
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_HERE: Final = {core: here for here, core in _CORE.items()}
_REFERENCE: Final = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_SELECTORS: Final = {f"regarding.{name}": f"involvedObject.{name}" for name in _REFERENCE}
# An update may only continue the series: the attributes that it may not change, and their names for clients.
_FIXED: Final = {
    "involved_object": "involvedObject",
    "reason": "reason",
    "message": "message",
    "source": "source",
    "first_timestamp": "firstTimestamp",
    "last_timestamp": "lastTimestamp",
    "count": "count",
    "type": "type",
    "event_time": "eventTime",
    "action": "action",
    "related": "related",
    "reporting_component": "reportingController",
    "reporting_instance": "reportingInstance",
}


def _to_core(value: dict[str, Any]) -> dict[str, Any]:
    return {_CORE.get(name, name): content for name, content in value.items()}


def _from_core(value: dict[str, Any]) -> dict[str, Any]:
    return {_HERE.get(name, name): content for name, content in value.items()}


def _check(new: Any, old: Any, findings: Findings) -> None:
    """The rules of this version, for events of the core group: what describes an event is set at its creation."""
    if old is None or new.series != old.series:
        _check_series(new, findings)
    if old is not None:
        for attribute, name in _FIXED.items():
            if getattr(new, attribute) != getattr(old, attribute):
                findings.invalid(name, getattr(new, attribute), "field is immutable")
        return
    if not new.event_time:
        findings.required("eventTime")
    if new.type not in ("Normal", "Warning"):
        findings.invalid("type", "", f"has invalid value: {new.type}")
    for attribute in ("first_timestamp", "last_timestamp", "count"):
        if getattr(new, attribute):
            findings.invalid(_FIXED[attribute], "", "needs to be unset")
    if new.source != EventSource():
        findings.invalid("source", "", "needs to be unset")


def _check_series(event: Any, findings: Findings) -> None:
    if event.series is None:
        return
    if event.series.count < 2:
        findings.invalid("series.count", "", "should be at least 2")
    if not event.series.last_observed_time:
        findings.required("series.lastObservedTime")


EVENTS_V1: Final = Version(
    "v1",
    Typed(Event),
    from_stored=_from_core,
    to_stored=_to_core,
    group="events.k8s.io",
    fields={**_SELECTORS, "reportingController": "reportingComponent"},
    check=_check,
)
"""The version events.k8s.io/v1 of the core group's events."""
