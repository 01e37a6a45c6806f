"""Security settings of pods and containers that have fields of their own: profiles, SELinux labels, Windows options."""

from __future__ import annotations

from typing import Final

from master.objects.meta import Model, always

PROFILE_TYPES: Final = ("Localhost", "RuntimeDefault", "Unconfined")


class SeccompProfile(Model, frozen=True, kw_only=True):
    """The system calls that the processes of a container may use.

    `type` is RuntimeDefault (the container engine's profile), Unconfined (all calls) or Localhost. With Localhost,
    `localhostProfile` is the path of a JSON file below the node's directory of profiles.
    """

    type: str = always("")
    localhost_profile: str | None = None


class AppArmorProfile(Model, frozen=True, kw_only=True):
    """The AppArmor profile of a container. Nodes without AppArmor refuse pods that need one.

    `type` is RuntimeDefault (the container engine's profile), Unconfined (none) or Localhost. With Localhost,
    `localhostProfile` is the name of a profile that is loaded on the node.
    """

    type: str = always("")
    localhost_profile: str | None = None


class SELinuxOptions(Model, frozen=True, kw_only=True):
    """The parts of an SELinux label."""

    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class WindowsSecurityContextOptions(Model, frozen=True, kw_only=True):
    """Security settings of containers on Windows."""

    gmsa_credential_spec_name: str | None = None
    gmsa_credential_spec: str | None = None
    run_as_user_name: str | None = None
    host_process: bool | None = None
