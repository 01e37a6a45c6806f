"""Event (core/v1): a report for people about something that happened to an object."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Final

from msgspec import field

from master.kinds.events.event import EVENTS_V1, EventSeries, EventSource
from master.objects.index import OWNER, field_index
from master.objects.meta import Object, ObjectReference, always
from master.objects.scalars import Int32, Time
from master.registry.deletion import DeletionPolicy
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, Strategy
from master.registry.table import Cell, Column, Table, age
from master.schema.checks import Findings
from master.schema.names import dns_subdomain, qualified_name
from master.schema.schema import Typed

_LONGEST_WORD: Final = 128
_LONGEST_MESSAGE: Final = 1024


class Event(Object, frozen=True, kw_only=True):
    """A report for people about something that happened to an object (`involvedObject`). Kept for one hour.

    `type` is Normal or Warning, `reason` one word for programs, `message` a sentence for people. Equal events are one
    object: `count` says how often it happened between `firstTimestamp` and `lastTimestamp`.
    """

    TYPE: ClassVar = "core.v1.Event"

    involved_object: ObjectReference = field(default_factory=ObjectReference)
    reason: str = ""
    message: str = ""
    source: EventSource = field(default_factory=EventSource)
    first_timestamp: Time | None = always(None)
    last_timestamp: Time | None = always(None)
    count: Int32 = 0
    type: str = ""
    event_time: Time | None = always(None)
    series: EventSeries | None = None
    action: str = ""
    related: ObjectReference | None = None
    reporting_component: str = always("")
    reporting_instance: str = always("")


class EventStrategy(Strategy[Event]):
    """An event is in the namespace of the object that it is about."""

    def name_form(self, name: str) -> str:
        return dns_subdomain(name)

    def check(self, obj: Event, old: Event | None, findings: Findings, keyspace: Keyspace) -> None:
        about, own = obj.involved_object.namespace, obj.metadata.namespace
        # Events about objects without a namespace are in one of these. `eventTime` distinguishes the form of 2017.
        homes = ("default", "kube-system") if obj.event_time else ("default",)
        if about != own and (own not in homes if not about else not obj.event_time):
            findings.invalid("involvedObject.namespace", about, "does not match event.namespace")
        if obj.event_time:
            _check_reporter(obj, findings)


def _check_reporter(event: Event, findings: Findings) -> None:
    """Adds a finding for each part of an event with `eventTime` that is missing or too long."""
    name = event.reporting_component
    if not name:
        findings.required("reportingComponent")
    findings.form("reportingComponent", name, qualified_name(name))
    for field_name, value in (
        ("reportingInstance", event.reporting_instance),
        ("action", event.action),
        ("reason", event.reason),
    ):
        if not value:
            findings.required(field_name)
        elif len(value) > _LONGEST_WORD:
            findings.invalid(field_name, "", f"can have at most {_LONGEST_WORD} characters")
    if len(event.message) > _LONGEST_MESSAGE:
        findings.invalid("message", "", f"can have at most {_LONGEST_MESSAGE} characters")


class EventDeletion(DeletionPolicy[Event]):
    """Events own nothing."""

    has_dependents = False


def _cells(event: Event, now: datetime) -> Sequence[Cell]:
    about = event.involved_object
    first = event.first_timestamp or event.event_time or event.metadata.creation_timestamp
    last = (event.series.last_observed_time if event.series else "") or event.last_timestamp or first
    source = event.source.component or event.reporting_component
    return (
        age(last, now),
        event.type,
        event.reason,
        f"{about.kind.lower()}/{about.name}" if about.name else about.kind.lower(),
        about.field_path,
        ", ".join(part for part in (source, event.source.host or event.reporting_instance) if part),
        event.message.strip(),
        age(first, now),
        (event.series.count if event.series else 0) or event.count or 1,
        event.metadata.name,
    )


_TABLE = Table(
    (
        Column("Last Seen", description="Time since the event happened last."),
        Column("Type", description="Normal or Warning."),
        Column("Reason", description="What happened, in one word."),
        Column("Object", description="The object to which it happened."),
        Column("Subobject", priority=1, description="The part of the object to which it happened."),
        Column("Source", priority=1, description="The component that reported the event."),
        Column("Message", description="What happened, for people."),
        Column("First Seen", priority=1, description="Time since the event happened first."),
        Column("Count", type="integer", priority=1, description="How often the event happened."),
        Column("Name", priority=1, format="name", description="The name of the event itself."),
    ),
    _cells,
)

EVENT = Resource(
    kind="Event",
    plural="events",
    schema=Typed(Event),
    served=(EVENTS_V1,),
    short_names=("ev",),
    strategy=EventStrategy(),
    deletion=EventDeletion(),
    table=_TABLE,
    indexes=(OWNER, field_index("involvedObject.name")),
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
        # Events of events.k8s.io/v1 have no source.
        "source": lambda event: event.source.component or event.reporting_component,
        "type": lambda event: event.type,
    },
)
