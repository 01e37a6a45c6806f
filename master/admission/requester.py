"""The user in a request for a certificate: the caller of its creation, whatever the body says."""

from __future__ import annotations

from msgspec.structs import replace

from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.kinds import CERTIFICATESIGNINGREQUEST

_SET_BY_THE_SERVER = ("username", "uid", "groups", "extra")


class Requester(Admission):
    """Sets the user's name and groups in new certificate requests."""

    resources = (CERTIFICATESIGNINGREQUEST,)

    async def mutate(self, attempt: Attempt) -> None:
        request = attempt.request
        if not attempt.creates(CERTIFICATESIGNINGREQUEST):
            return
        spec = {name: value for name, value in attempt.new.spec.items() if name not in _SET_BY_THE_SERVER}
        spec |= {"username": request.caller.name, "groups": sorted(request.caller.groups)}
        attempt.new = replace(attempt.new, content={**attempt.new.content, "spec": spec})
