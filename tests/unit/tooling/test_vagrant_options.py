"""Vagrant's docker provider makes machines as the lab does; a Vagrantfile cannot ask Python, so it says it again."""

from __future__ import annotations

import re
from pathlib import Path

from tests.machine.bed.bed import OPTIONS

CLUSTER = Path(__file__).resolve().parents[3] / "vagrant" / "cluster.rb"


def test_vagrant_s_machines_have_the_options_of_the_lab_s() -> None:
    found = re.search(r"def docker_arguments\n(.*?)\n    end\n", CLUSTER.read_text(), re.DOTALL)
    assert found is not None
    capabilities = re.search(r"%w\[(.*?)\]", found[1], re.DOTALL)
    assert capabilities is not None
    options = {option for option in re.findall(r'"(--[^"]+)"', found[1]) if "#{" not in option}
    assert options | {f"--cap-add={name}" for name in capabilities[1].split()} == set(OPTIONS)
