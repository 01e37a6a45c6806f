"""The user of a container and the check that it is not root, and the container's seccomp and AppArmor profiles.

Owns Kubernetes' rules for runAsNonRoot, for the user of the image, and for its groups (supplementalGroupsPolicy). Pure
functions, independent of the engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

from agent.model import Container, Pod, Profile, SecurityContext
from agent.pods.errors import ContainerConfigError
from agent.runtime.accounts import Accounts, NoSuchAccount

_UNCONFINED: Final = "unconfined"
"""The engine's word for no profile."""


def needs_image_user(security: SecurityContext) -> bool:
    """Whether the container's user depends on the USER of its image."""
    return security.run_as_user is None and (security.run_as_non_root or security.run_as_group is not None)


def user_of(security: SecurityContext, image_user: str) -> str:
    """The user as the engine takes it, `USER[:GROUP]`; empty: as the image says.

    With runAsNonRoot the user that was checked is named: the image's name may mean another image by now.
    """
    if security.run_as_group is None:
        of_image = image_user if security.run_as_non_root else ""
        return of_image if security.run_as_user is None else str(security.run_as_user)
    user = _name(image_user) if security.run_as_user is None else str(security.run_as_user)
    return f"{user}:{security.run_as_group}"


def strict_user(security: SecurityContext, image_user: str, accounts: Accounts) -> str:
    """The user as the engine takes it, with the group of its line: then the engine adds none of the image's groups.

    Raises ContainerConfigError if the image has no such user or group.
    """
    try:
        return "{}:{}".format(*accounts.ids(user_of(security, image_user) or image_user))
    except NoSuchAccount as error:
        raise ContainerConfigError(f"supplementalGroupsPolicy Strict: {error}") from error


def check_groups(groups: Iterable[int], accounts: Accounts) -> None:
    """Raises ContainerConfigError for a group whose number is the name of another group in the image.

    Engines look for the name first, so the image could add any group.
    """
    for group in groups:
        if any(named != group for named in accounts.groups_named(str(group))):
            raise ContainerConfigError(
                f'supplementalGroupsPolicy Strict: "{group}" is the name of another group in the image'
            )


def check_user(pod: Pod, container: Container, image_user: str) -> None:
    """Raises ContainerConfigError, in the kubelet's words, if runAsNonRoot forbids the container's user."""
    security = container.security
    if not security.run_as_non_root:
        return
    where = f'(pod: "{pod.name}_{pod.namespace}({pod.uid})", container: {container.name})'
    if security.run_as_user is not None:
        if security.run_as_user == 0:
            raise ContainerConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    name, problem = _name(image_user), ""
    if not (name.isascii() and name.isdecimal()):
        problem = f"image has non-numeric user ({name}), cannot verify user is non-root"
    elif int(name) == 0:
        problem = "image will run as root"
    if problem:
        raise ContainerConfigError(f"container has runAsNonRoot and {problem} {where}")


def own_seccomp_profile(security: SecurityContext) -> str:
    """The path of the node's own profile (Localhost) that the container needs; empty if it needs none."""
    profile = security.seccomp
    if profile is None or security.privileged or profile.type != Profile.LOCALHOST:
        return ""
    if not profile.localhost or profile.localhost.startswith("/") or ".." in PurePath(profile.localhost).parts:
        raise ContainerConfigError(f'seccomp profile "{profile.localhost}" is not a relative path without ".."')
    return profile.localhost


def seccomp_of(security: SecurityContext, own: str) -> str:
    """The profile as the engine takes it: `unconfined`, or JSON; empty for the engine's default.

    `own` is the content of the profile that `own_seccomp_profile` names.
    """
    if own or security.seccomp is None or security.privileged or security.seccomp.type != Profile.UNCONFINED:
        return own
    return _UNCONFINED


def apparmor_of(security: SecurityContext) -> str:
    """The profile as the engine takes it: `unconfined`, or a name; empty for the engine's default.

    Raises ContainerConfigError for a profile of the node that the engine would take for no profile.
    """
    profile = security.apparmor
    if profile is None or profile.type == Profile.RUNTIME_DEFAULT:
        return ""
    if profile.type == Profile.UNCONFINED:
        return _UNCONFINED
    if profile.localhost == _UNCONFINED:
        raise ContainerConfigError(f'AppArmor profile "{_UNCONFINED}" is not a profile of the node')
    return profile.localhost


def _name(image_user: str) -> str:
    """The user of an image's USER, which is `USER[:GROUP]`. An image without one runs as root."""
    return image_user.partition(":")[0] or "0"
