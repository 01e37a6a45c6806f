"""What the access reviews share: the access in question, and the authorizer's answer."""

from __future__ import annotations

from msgspec.structs import replace

from master.api.errors import Forbidden, Unauthorized
from master.api.identity import Caller
from master.api.pipeline.authorization import Attributes, Authorizer
from master.objects.meta import LabelSelectorRequirement, Model, ObjectMeta, always
from master.schema.checks import Findings


class FieldSelectorRequirement(Model, frozen=True, kw_only=True):
    """One condition on a field. `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str = always("")
    operator: str = always("")
    values: tuple[str, ...] = ()


class FieldSelectorAttributes(Model, frozen=True, kw_only=True):
    """The field selector of the request, as text or as conditions."""

    raw_selector: str = ""
    requirements: tuple[FieldSelectorRequirement, ...] = ()


class LabelSelectorAttributes(Model, frozen=True, kw_only=True):
    """The label selector of the request, as text or as conditions."""

    raw_selector: str = ""
    requirements: tuple[LabelSelectorRequirement, ...] = ()


class ResourceAttributes(Model, frozen=True, kw_only=True):
    """A request for a resource.

    `verb` is get, list, watch, create, update, patch, delete or deletecollection; `*` means all. An empty `namespace`
    means all namespaces, or none for a cluster-scoped resource; an empty `name` means all objects.
    """

    namespace: str = ""
    verb: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    field_selector: FieldSelectorAttributes | None = None
    label_selector: LabelSelectorAttributes | None = None


class NonResourceAttributes(Model, frozen=True, kw_only=True):
    """A request for a path that is not a resource, such as /healthz."""

    path: str = ""
    verb: str = ""


class SubjectAccessReviewStatus(Model, frozen=True, kw_only=True):
    """The answer. `denied`: no other authorizer may allow it. `reason` says why."""

    allowed: bool = always(False)
    denied: bool = False
    reason: str = ""
    evaluation_error: str = ""


class Access(Model, frozen=True, kw_only=True):
    """The access in question: to a resource or to another path."""

    resource_attributes: ResourceAttributes | None = None
    non_resource_attributes: NonResourceAttributes | None = None

    def check(self, findings: Findings) -> None:
        """Adds a finding unless there is exactly one of the two."""
        if (self.resource_attributes is None) == (self.non_resource_attributes is None):
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            findings.invalid("spec", None, why)

    def attributes(self) -> Attributes:
        """The access as the authorizer sees it."""
        resource, other = self.resource_attributes, self.non_resource_attributes
        if resource is None:
            return Attributes(other.verb, path=other.path) if other is not None else Attributes("")
        return Attributes(
            resource.verb,
            resource.group,
            resource.resource,
            resource.subresource,
            resource.namespace,
            resource.name,
        )


def check_metadata(meta: ObjectMeta, findings: Findings, *, namespaced: bool = False) -> None:
    """Adds a finding if a review, which is not stored, has metadata other than the namespace of a namespaced kind."""
    empty = replace(meta, managed_fields=(), namespace="" if namespaced else meta.namespace) == ObjectMeta()
    if not empty:
        why = "must be empty except for namespace" if namespaced else "must be empty"
        findings.invalid("metadata", meta.name or meta.namespace, why)


async def decide(authorizer: Authorizer, caller: Caller, access: Access) -> SubjectAccessReviewStatus:
    """Whether a caller may do this."""
    try:
        await authorizer.authorize(caller, access.attributes())
    except (Forbidden, Unauthorized) as error:
        return SubjectAccessReviewStatus(reason=error.message)
    return SubjectAccessReviewStatus(allowed=True)
