"""Machines: the owners of their names, and the keys of their images."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.machine import recipe
from tests.machine.bed import bed
from tests.machine.bed.docker import _last_line


@pytest.mark.parametrize(
    "name", ["sampan-machines-build-12", "sampan-default-node1", "sampan-machines-1-2", "topo-1-2-3-a"]
)
def test_names_that_are_not_of_a_bed_have_no_owner(name: str) -> None:
    assert bed.NAMES.owner_of(name) is None


def test_the_path_of_the_engine_s_socket_fits_the_kernel_s_limit() -> None:
    longest = bed._paths(f"sampan-machines-{'z' * 5}-{'z' * 8}-{10**4}")
    assert len(str(longest.engine / "containerd.sock.ttrpc")) < 108


def test_every_input_changes_the_key_of_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    first = recipe.HOST
    keys = {
        variant.key()
        for variant in (
            first,
            replace(first, name="other"),
            replace(first, suite="other"),
            replace(first, packages=("one",)),
            replace(first, setup="true"),
        )
    }
    for name, value in (("EMPTIED", ()), ("FORMAT", 0), ("_INIT_TEXT", "")):
        with monkeypatch.context() as patch:
            patch.setattr(recipe, name, value)
            keys.add(first.key())
    assert len(keys) == 8


def test_images_of_the_first_release_stay_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build takes minutes, so a change of the key must be intended."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert recipe.HOST.key() == "host-47be80e9236fe106"


def test_no_recipe_s_name_is_a_prefix_of_another_s() -> None:
    names = [known.name for known in recipe.RECIPES]
    assert len(set(names)) == len(names)
    assert not any(name != other and f"{name}-".startswith(f"{other}-") for name in names for other in names)


def test_the_last_line_of_docker_is_the_error_not_the_hint_at_help() -> None:
    assert (
        _last_line(b"docker: no such image\n\nRun 'docker run --help' for more information\n")
        == "docker: no such image"
    )
    assert _last_line(b"", b"") == "no output"
