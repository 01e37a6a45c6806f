"""Nothing is created in a namespace that does not exist or is being deleted."""

from __future__ import annotations

from master.api.errors import Forbidden, NotFound
from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.kinds import NAMESPACE
from master.schema.cause import Cause
from master.store.interface import Compare


class NamespaceLifecycle(Admission):
    """Checks the namespace of new objects. A comparison in the commit ensures that it stays valid until then."""

    async def mutate(self, attempt: Attempt) -> None:
        """Raises NotFound, Forbidden."""
        resource = attempt.request.resource
        if attempt.before is not None or not resource.namespaced:
            return
        namespace = attempt.new.metadata.namespace
        entry = attempt.cache.entry(NAMESPACE, "", namespace)
        if entry is None:
            raise NotFound.of(NAMESPACE, namespace)
        if entry.obj.metadata.deletion_timestamp:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
            message = f"{resource.resource} is forbidden: {why}"
            raise Forbidden(message, causes=[cause], group=resource.group, kind=resource.plural)
        attempt.compares.append(Compare(NAMESPACE.key("", namespace), entry.revision))
