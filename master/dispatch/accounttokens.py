"""Tokens of service accounts for the volumes of pods: a node gets only those that its pods ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from master.api.errors import ApiError
from master.api.resources import Resources
from master.dispatch.errors import Denied, InvalidMessage
from master.kinds import POD, SERVICEACCOUNT
from master.kinds.authentication.tokenrequest import BoundObjectReference, token_claims
from master.kinds.core.pod.model import Pod
from proto.gen import session_pb2

_SHORTEST_S: Final = 600
_LIFETIME_S: Final = 3600


class AccountTokens:
    """Issues tokens that are bound to pods."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def issue(self, node: str, request: session_pb2.TokenRequest) -> session_pb2.TokenReply:
        """A token for a pod of this node. Raises Denied, InvalidMessage."""
        pod = self._resources.cache.get(POD, request.namespace, request.pod)
        if pod is None or pod.metadata.uid != request.pod_uid or pod.spec.node_name != node:
            raise InvalidMessage(f"pod {request.namespace}/{request.pod} ({request.pod_uid}) is not on node {node}")
        asked = request.audience, max(request.expiration_s, _SHORTEST_S)
        if asked not in set(_wanted(pod)):
            raise Denied(f"pod {request.namespace}/{request.pod} has no volume with such a token")
        account = self._resources.cache.entry(SERVICEACCOUNT, request.namespace, pod.spec.service_account_name)
        if account is None:
            raise InvalidMessage(f'serviceaccounts "{pod.spec.service_account_name}" not found')
        audiences = (request.audience or self._resources.tokens.audience,)
        bound = BoundObjectReference(kind="Pod", api_version="v1", name=request.pod, uid=request.pod_uid)
        try:
            claims = token_claims(self._resources, account, audiences, asked[1], bound)
        except ApiError as error:
            raise InvalidMessage(str(error)) from error
        return session_pb2.TokenReply(token=self._resources.tokens.issue(claims), lifetime_s=asked[1])


def _wanted(pod: Pod) -> Iterator[tuple[str, int]]:
    """Audience and lifetime of each token in the pod's volumes."""
    for volume in pod.spec.volumes:
        for source in volume.projected.sources if volume.projected is not None else ():
            if (token := source.service_account_token) is not None:
                yield token.audience, max(token.expiration_seconds or _LIFETIME_S, _SHORTEST_S)
