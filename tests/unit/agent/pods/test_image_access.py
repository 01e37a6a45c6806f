"""Who may use an image that is on the node: one row for each rule of the kubelet."""

from __future__ import annotations

import pytest

from agent.model import ObjectRef
from agent.pods.imageaccess import Access, is_verified
from agent.pods.interface import ImageVerification
from agent.pods.keyring import Candidate
from agent.runtime.images import Credentials

ID, REF = "sha256:app", ObjectRef("default", "key")


def candidate(password: str = "right", *, name: str = "key", uid: str = "u1") -> Candidate:
    return Candidate(Credentials("me", password), ObjectRef("default", name), uid)


PULLED = Access().granted(candidate(), ID)


@pytest.mark.parametrize(
    ("access", "given", "allowed"),
    [
        pytest.param(PULLED, [candidate()], True, id="the same secret"),
        pytest.param(PULLED, [candidate("other", name="x", uid="u2"), candidate()], True, id="one of several"),
        pytest.param(PULLED, [candidate(name="copy", uid="u2")], True, id="the same credentials in another secret"),
        pytest.param(PULLED, [candidate("changed")], True, id="the same secret with changed credentials"),
        pytest.param(PULLED, [candidate("changed", uid="u2")], False, id="another secret of that name"),
        pytest.param(PULLED, [candidate("changed", uid="")], False, id="a secret of that name without a uid"),
        pytest.param(PULLED, [], False, id="no secret"),
        pytest.param(Access(everyone=True), [], True, id="pulled without credentials"),
        pytest.param(Access(), [candidate()], False, id="nobody knows how it was pulled"),
        pytest.param(PULLED.granted(None, ID), [], True, id="later pulled without credentials"),
        pytest.param(Access(everyone=True).granted(candidate(), ID), [], True, id="later pulled with credentials"),
        pytest.param(
            PULLED.granted(candidate("2", name="b", uid="u2"), ID), [candidate()], True, id="of two secrets the first"
        ),
    ],
)
def test_who_may_use_an_image(access: Access, given: list[Candidate], allowed: bool) -> None:
    assert access.allows(ID, given, set()) is allowed


def test_a_secret_without_a_uid_is_compared_by_its_credentials() -> None:
    access = Access().granted(candidate(uid=""), ID)
    assert access.allows(ID, [candidate(uid="")], set()) and not access.allows(ID, [candidate("no", uid="")], set())


def test_a_secret_that_the_node_does_not_know_yet_is_compared_by_its_name() -> None:
    assert PULLED.allows(ID, [], {REF}) and not PULLED.allows(ID, [], {ObjectRef("other", "key")})


def test_a_changed_secret_replaces_itself() -> None:
    (secret,) = PULLED.granted(candidate("changed"), ID).secrets
    assert secret.digest != PULLED.secrets[0].digest


def test_the_credentials_are_not_in_the_record_and_look_different_for_each_image() -> None:
    assert "right" not in repr(PULLED)
    assert PULLED.secrets[0].digest != Access().granted(candidate(), "sha256:other").secrets[0].digest


@pytest.mark.parametrize(
    ("policy", "preloaded", "pulled"),
    [
        ("NeverVerify", False, False),
        ("NeverVerifyPreloadedImages", False, True),
        ("AlwaysVerify", True, True),
        ("NeverVerifyAllowlistedImages", True, True),
    ],
)
def test_the_policies(policy: str, preloaded: bool, pulled: bool) -> None:
    verification = ImageVerification(policy)
    assert is_verified(verification, "r.example/app:1", pulled=False) is preloaded
    assert is_verified(verification, "r.example/app:1", pulled=True) is pulled


@pytest.mark.parametrize(
    ("image", "verified"),
    [
        ("nginx", False),
        ("docker.io/library/nginx:1", False),
        ("redis", True),
        ("r.example/team/app:1", False),
        ("r.example/team/deep/app@sha256:" + "a" * 64, False),
        ("r.example/teams/app", True),
        ("r.example/team", True),
    ],
)
def test_the_allowlist(image: str, verified: bool) -> None:
    verification = ImageVerification("NeverVerifyAllowlistedImages", ("docker.io/library/nginx", "r.example/team/*"))
    assert is_verified(verification, image, pulled=True) is verified
