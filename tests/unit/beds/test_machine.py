"""Machines: names that tell their owner, and what decides which image is theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.machine import recipe
from tests.machine.bed import bed
from tests.machine.bed.docker import _last_line


@pytest.mark.parametrize(
    "name", ["sampan-machines-build-12", "sampan-default-node1", "sampan-machines-1-2", "topo-1-2-3-a"]
)
def test_what_is_no_bed_has_no_owner_here(name: str) -> None:
    assert bed.NAMES.owner_of(name) is None


def test_the_engines_socket_is_short_enough_for_the_kernel() -> None:
    longest = bed._paths(f"sampan-machines-{'z' * 5}-{'z' * 8}-{10**4}")
    assert len(str(longest.engine / "containerd.sock.ttrpc")) < 108


def test_an_images_key_is_of_all_that_it_contains(monkeypatch: pytest.MonkeyPatch) -> None:
    first = recipe.HOST
    keys = {
        each.key()
        for each in (
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
    """To build one takes minutes: a change of the key is to be a decision, not an accident."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert recipe.HOST.key() == "host-47be80e9236fe106"


def test_recipes_have_names_of_their_own_that_are_no_beginning_of_another() -> None:
    names = [each.name for each in recipe.RECIPES]
    assert len(set(names)) == len(names)
    assert not any(one != two and f"{one}-".startswith(f"{two}-") for one in names for two in names)


def test_the_last_word_is_what_went_wrong() -> None:
    assert (
        _last_line(b"docker: no such image\n\nRun 'docker run --help' for more information\n")
        == "docker: no such image"
    )
    assert _last_line(b"", b"") == "no word of it"
