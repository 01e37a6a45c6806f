"""Which plugins a write calls, and in which order."""

from __future__ import annotations

from master.api.pipeline.admission import Admission, Plugins
from master.api.pipeline.attempt import Attempt
from master.kinds import CONFIGMAP, NODE, POD


class OfAll(Admission):
    async def mutate(self, attempt: Attempt) -> None:
        """Changes nothing."""

    async def validate(self, attempt: Attempt) -> None:
        """Refuses nothing."""


class OfPods(OfAll):
    resources = (POD,)


class ChecksPodsAndNodes(Admission):
    resources = (POD, NODE)

    async def validate(self, attempt: Attempt) -> None:
        """Refuses nothing."""


def test_a_write_calls_the_plugins_of_its_resource_in_their_order() -> None:
    pods, every, checks = OfPods(), OfAll(), ChecksPodsAndNodes()
    plugins = Plugins([checks, pods, every])
    assert plugins.mutators(POD) == [pods, every]
    assert plugins.validators(POD) == [checks, pods, every]
    assert (plugins.mutators(NODE), plugins.validators(NODE)) == ([every], [checks, every])
    assert (plugins.mutators(CONFIGMAP), plugins.validators(CONFIGMAP)) == ([every], [every])
