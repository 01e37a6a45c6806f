"""Admission: rules of the cluster for writes, beyond those of a single object (namespaces, quotas, webhooks).

The plugins are in master/admission. The pipeline calls them in the order in which it got them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from master.api.pipeline.attempt import Attempt
from master.registry.resource import Resource


class Admission:
    """The base of all plugins. A plugin overrides one or both methods. They may await, and raise ApiError to refuse.

    `resources`: the plugin is called for writes of these; None: for writes of all.
    """

    resources: ClassVar[tuple[Resource[Any], ...] | None] = None

    async def mutate(self, attempt: Attempt) -> None:
        """Refuses or changes `attempt.new`, which has its defaults. Not called for removals."""

    async def validate(self, attempt: Attempt) -> None:
        """Refuses a valid object, or adds comparisons and writes to the commit. Also called for removals."""


class Plugins:
    """Finds the plugins that a write concerns: each call costs every write."""

    def __init__(self, plugins: Sequence[Admission]) -> None:
        self._of_all = _Methods([plugin for plugin in plugins if plugin.resources is None])
        named = {resource for plugin in plugins for resource in plugin.resources or ()}
        self._of = {
            resource: _Methods([each for each in plugins if each.resources is None or resource in each.resources])
            for resource in named
        }

    def mutators(self, resource: Resource[Any]) -> Sequence[Admission]:
        """Those that may change an object of the resource."""
        return self._of.get(resource, self._of_all).mutators

    def validators(self, resource: Resource[Any]) -> Sequence[Admission]:
        """Those that look at a complete object of the resource, or at its removal."""
        return self._of.get(resource, self._of_all).validators


class _Methods:
    """Plugins by the methods that they have."""

    def __init__(self, plugins: Sequence[Admission]) -> None:
        self.mutators = [plugin for plugin in plugins if type(plugin).mutate is not Admission.mutate]
        self.validators = [plugin for plugin in plugins if type(plugin).validate is not Admission.validate]
