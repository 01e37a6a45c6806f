"""The users and groups that an image declares."""

from __future__ import annotations

import pytest

from agent.runtime.accounts import Accounts, NoSuchAccount

ACCOUNTS = Accounts(
    "root:x:0:0::/root:/bin/sh\n\nbroken\napp:x:1000:2000::/:\n+::::::\nhuge:x:1:99999999999::/:\nhuge:x:5:6::/:\n",
    "root:x:0:\nstaff:x:50:app\napp:x:2000:\n4000:x:0:app\nempty::\n",
)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param("", (0, 0), id="root"),
        pytest.param("app", (1000, 2000), id="the group of the user's line"),
        pytest.param("1000", (1000, 2000), id="by number"),
        pytest.param("7", (7, 0), id="a number without a line"),
        pytest.param("app:staff", (1000, 50), id="another group by name"),
        pytest.param("8:9", (8, 9), id="numbers"),
        pytest.param("app:4000", (1000, 4000), id="a number is never a name"),
        pytest.param("huge", (5, 6), id="a line with an impossible id does not count"),
    ],
)
def test_ids(user: str, expected: tuple[int, int]) -> None:
    assert ACCOUNTS.ids(user) == expected


@pytest.mark.parametrize(
    ("user", "problem"),
    [("nobody", 'no user "nobody"'), ("app:nobody", 'no group "nobody"'), ("²", "no user"), ("99999999999", "no user")],
)
def test_unknown_names(user: str, problem: str) -> None:
    with pytest.raises(NoSuchAccount, match=problem):
        ACCOUNTS.ids(user)


def test_an_image_without_the_files() -> None:
    assert Accounts().ids("5") == (5, 0)
    assert Accounts().groups_named("5") == []
    assert ACCOUNTS.groups_named("4000") == [0]
