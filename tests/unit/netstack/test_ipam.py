"""The address pool: the order of reuse, and a kill before every single file operation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import MonkeyPatch, TempPathFactory

from netstack.errors import PoolExhausted
from netstack.ipam import AddressPool

NETWORK = IPv4Network("10.244.1.0/29")  # .2 to .6 can be assigned
ADDRESSES = [IPv4Address(f"10.244.1.{number}") for number in range(2, 7)]


class Killed(BaseException):
    """A kill as the code sees it: nothing after it runs."""


@contextmanager
def killed_before(step: int) -> Iterator[None]:
    """Execute `step` file operations, and raise Killed at the next one."""
    done = 0

    def guard(real: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object, **keywords: object) -> object:
            nonlocal done
            if done >= step:
                raise Killed
            done += 1
            return real(*arguments, **keywords)

        return wrapped

    with MonkeyPatch.context() as patch:
        patch.setattr(os, "link", guard(os.link))
        for name in ("write_text", "rename", "unlink"):
            patch.setattr(Path, name, guard(getattr(Path, name)))
        yield


def test_reserved_addresses_are_not_assigned(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, NETWORK)
    assert [pool.claim(f"pod-{number}") for number in range(5)] == ADDRESSES
    with pytest.raises(PoolExhausted, match=r"10\.244\.1\.0/29"):
        pool.claim("one too many")


def test_a_claim_is_idempotent_and_survives_a_restart(tmp_path: Path) -> None:
    first = AddressPool(tmp_path, NETWORK).claim("pod")
    again = AddressPool(tmp_path, NETWORK)
    assert again.claim("pod") == first
    assert again.claims() == {"pod": first}


def test_unused_addresses_come_first_then_the_one_freed_longest_ago(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, NETWORK)
    for number in range(3):
        pool.claim(f"pod-{number}")
    for number in (1, 0, 2):
        pool.release(f"pod-{number}")
    pool = AddressPool(tmp_path, NETWORK)
    expected = [ADDRESSES[3], ADDRESSES[4], ADDRESSES[1], ADDRESSES[0], ADDRESSES[2]]
    assert [pool.claim(f"new-{number}") for number in range(5)] == expected


def test_files_of_another_network_and_broken_files_are_dropped(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, NETWORK)
    pool.claim("pod")
    (tmp_path / "claims" / "10.9.9.9").write_text("stranger")
    (tmp_path / "claims" / "10.244.1.5").write_text("")
    (tmp_path / "freed" / "10.244.1.6").write_text("not a number")
    again = AddressPool(tmp_path, NETWORK)
    assert set(again.claims()) == {"pod"}
    assert [again.claim(f"new-{number}") for number in range(4)][-1] == ADDRESSES[4]


@pytest.mark.parametrize("step", range(8))
def test_a_kill_during_a_claim_neither_loses_nor_doubles_an_address(tmp_path: Path, step: int) -> None:
    pool = AddressPool(tmp_path, NETWORK)
    pool.claim("old")
    for number in range(4):
        pool.claim(f"pod-{number}")
        pool.release(f"pod-{number}")
    with killed_before(step), suppress(Killed):
        pool.claim("new")
    _check(tmp_path, {"old"}, {"new"})


@pytest.mark.parametrize("step", range(6))
def test_a_kill_during_a_release_keeps_the_claim_or_frees_it(tmp_path: Path, step: int) -> None:
    pool = AddressPool(tmp_path, NETWORK)
    pool.claim("stays")
    pool.claim("goes")
    with killed_before(step), suppress(Killed):
        pool.release("goes")
    _check(tmp_path, {"stays"}, {"goes"})


def _check(directory: Path, certain: set[str], possible: set[str]) -> None:
    """After a restart, certain owners still have their address, all addresses differ, and none is lost."""
    pool = AddressPool(directory, NETWORK)
    owners = set(pool.claims())
    assert certain <= owners <= certain | possible
    for owner in owners - certain:
        pool.release(owner)
    for number in range(len(ADDRESSES) - len(certain)):
        pool.claim(f"filler-{number}")
    assert sorted(pool.claims().values()) == ADDRESSES
    assert AddressPool(directory, NETWORK).claims() == pool.claims()


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["claim", "release", "restart"]), st.integers(0, 6), st.integers(0, 12)), max_size=30
)


@given(operations=OPERATIONS)
def test_any_sequence_of_operations_survives_kills(
    tmp_path_factory: TempPathFactory, operations: list[tuple[str, int, int]]
) -> None:
    directory = tmp_path_factory.mktemp("pool")
    pool = AddressPool(directory, NETWORK)
    confirmed: dict[str, IPv4Address] = {}
    for verb, number, step in operations:
        owner = f"pod-{number}"
        try:
            with killed_before(step):
                if verb == "claim":
                    confirmed[owner] = pool.claim(owner)
                elif verb == "release":
                    # Once a release has started, the address may or may not be free.
                    confirmed.pop(owner, None)
                    pool.release(owner)
        except PoolExhausted:
            assert len(pool.claims()) == len(ADDRESSES)
        except Killed:
            pool = AddressPool(directory, NETWORK)
        if verb == "restart":
            pool = AddressPool(directory, NETWORK)
        claims = pool.claims()
        assert confirmed.items() <= dict(claims).items()
        assert len(set(claims.values())) == len(claims)
