"""PodTemplate: a template of pods as an object of its own. It is stored and checked; nothing uses it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import field
from msgspec.structs import replace

from master.kinds.core.pod.model import PodTemplateSpec
from master.kinds.workload.columns import containers
from master.kinds.workload.template import check_template, default_template
from master.objects.meta import Object
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, Strategy
from master.registry.table import NAME, Cell, Column, Table, pairs
from master.schema.checks import Findings
from master.schema.schema import Typed


class PodTemplate(Object, frozen=True, kw_only=True):
    """A template of pods, for programs that make pods."""

    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)


class PodTemplateStrategy(Strategy[PodTemplate]):
    """The template has the defaults and checks of those in workloads."""

    def default(self, obj: PodTemplate) -> PodTemplate:
        return replace(obj, template=default_template(obj.template))

    def check(self, obj: PodTemplate, old: PodTemplate | None, findings: Findings, keyspace: Keyspace) -> None:
        check_template(obj.template, old.template if old else None, "template", findings)


def _cells(obj: PodTemplate, now: datetime) -> Sequence[Cell]:
    return obj.metadata.name, *containers(obj.template), pairs(obj.template.metadata.labels)


_TABLE = Table(
    (
        NAME,
        Column("Containers", description="The containers of the template."),
        Column("Images", description="The images of the containers."),
        Column("Pod Labels", description="The labels of the template."),
    ),
    _cells,
)

PODTEMPLATE = Resource(
    kind="PodTemplate",
    plural="podtemplates",
    schema=Typed(PodTemplate),
    strategy=PodTemplateStrategy(),
    table=_TABLE,
    has_generation=True,
)
