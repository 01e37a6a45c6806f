"""UserInfo: a user as the reviews of the group show it."""

from __future__ import annotations

from msgspec import field

from master.api.identity import Caller
from master.objects.meta import Model


class UserInfo(Model, frozen=True, kw_only=True):
    """A user, its uid, its groups, and what else its credential says."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)


def user_info(caller: Caller) -> UserInfo:
    """A caller in this form, with its groups in alphabetical order."""
    return UserInfo(username=caller.name, uid=caller.uid, groups=tuple(sorted(caller.groups)), extra=dict(caller.extra))
