"""What `sampan test` installs for the beds is what they start."""

from __future__ import annotations

from tests.runner import requirements
from tests.vm.bed import libvirt, qemu


def test_what_virtual_machines_need_is_what_is_installed_for_them() -> None:
    assert set(requirements.VMS) == set(qemu.PROGRAMS)
    assert set(requirements.LIBVIRT) == {*libvirt.PROGRAMS, libvirt.PLUGIN}
