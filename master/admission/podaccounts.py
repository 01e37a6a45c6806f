"""The service account of a pod: `default` unless a new pod names one, which must exist. It stays in updates.

A new pod gets a token of its account (podtokens.py), unless it or its account says that it does not want one; and the
pull secrets of its account, unless it has its own.

Unlike in Kubernetes, a pod can be created in a new namespace before the account `default` is there: that takes some
milliseconds, and until then every manifest with a namespace and a pod would be refused.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from master.admission.podtokens import with_token
from master.admission.refusal import refused
from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.kinds import POD, SERVICEACCOUNT
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.pod.strategy import SPECS
from master.objects.meta import LocalObjectReference

_DEFAULT: Final = "default"


class PodAccounts(Admission):
    """Sets the account, and refuses pods whose account does not exist."""

    resources = (POD,)

    async def mutate(self, attempt: Attempt) -> None:
        """Raises Forbidden."""
        pod = attempt.new
        if attempt.old is not None:
            attempt.new = _as_before(pod, attempt.old)
            return
        name = pod.spec.service_account_name or pod.spec.service_account
        namespace = pod.metadata.namespace
        account = attempt.cache.get(SERVICEACCOUNT, namespace, name or _DEFAULT)
        if name and name != _DEFAULT and account is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise refused(attempt, why)
        wants_token = pod.spec.automount_service_account_token
        if wants_token is None and account is not None:
            wants_token = account.automount_service_account_token
        secrets = account.image_pull_secrets if account is not None else ()
        attempt.new = replace(pod, spec=SPECS.changed(pod.spec, _completed, wants_token is not False, secrets))


def _as_before(pod: Pod, old: Pod) -> Pod:
    if pod.spec.service_account_name or pod.spec.service_account:
        return pod
    name, other = old.spec.service_account_name, old.spec.service_account
    return replace(pod, spec=replace(pod.spec, service_account_name=name, service_account=other))


def _completed(spec: PodSpec, wants_token: bool, secrets: tuple[LocalObjectReference, ...]) -> PodSpec:
    if not (spec.service_account_name or spec.service_account):
        spec = replace(spec, service_account_name=_DEFAULT, service_account=_DEFAULT)
    if not spec.image_pull_secrets:
        spec = replace(spec, image_pull_secrets=secrets)
    return with_token(spec) if wants_token else spec
