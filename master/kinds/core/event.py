"""Event (core/v1): a report for people about something that happened to an object."""

from __future__ import annotations

from msgspec import field

from master.objects.meta import Model, Object, ObjectReference
from master.objects.scalars import Int32, Time
from master.registry.resource import Resource


class EventSource(Model, frozen=True, kw_only=True):
    """The component that reported the event, and its host."""

    component: str = ""
    host: str = ""


class EventSeries(Model, frozen=True, kw_only=True):
    """How often the event happened, and when it happened last."""

    count: Int32 = 0
    last_observed_time: Time = ""


class Event(Object, frozen=True, kw_only=True):
    """A report for people about something that happened to an object (`involvedObject`). Kept for one hour.

    `type` is Normal or Warning, `reason` one word for programs, `message` a sentence for people. Equal events are one
    object: `count` says how often it happened between `firstTimestamp` and `lastTimestamp`.
    """

    involved_object: ObjectReference = field(default_factory=ObjectReference)
    reason: str = ""
    message: str = ""
    source: EventSource = field(default_factory=EventSource)
    first_timestamp: Time | None = None
    last_timestamp: Time | None = None
    count: Int32 = 0
    type: str = ""
    event_time: Time | None = None
    series: EventSeries | None = None
    action: str = ""
    related: ObjectReference | None = None
    reporting_component: str = ""
    reporting_instance: str = ""


EVENT = Resource(
    kind="Event",
    plural="events",
    model=Event,
    short_names=("ev",),
    fields={
        "involvedObject.kind": lambda event: event.involved_object.kind,
        "involvedObject.namespace": lambda event: event.involved_object.namespace,
        "involvedObject.name": lambda event: event.involved_object.name,
        "involvedObject.uid": lambda event: event.involved_object.uid,
        "involvedObject.apiVersion": lambda event: event.involved_object.api_version,
        "involvedObject.resourceVersion": lambda event: event.involved_object.resource_version,
        "involvedObject.fieldPath": lambda event: event.involved_object.field_path,
        "reason": lambda event: event.reason,
        "reportingComponent": lambda event: event.reporting_component,
        "source": lambda event: event.source.component,
        "type": lambda event: event.type,
    },
)
