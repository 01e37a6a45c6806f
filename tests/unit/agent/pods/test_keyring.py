"""Which credentials of a pod's secrets are for an image: one row for each rule of the kubelet's keyring."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from agent.model import ObjectRef, Secret
from agent.pods.errors import PullSecretError
from agent.pods.keyring import candidates, repository

CONFIG, OLD = "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"


def secret(auths: Any, *, name: str = "s", kind: str = CONFIG) -> Secret:
    content = {"auths": auths} if kind == CONFIG else auths
    key = ".dockercfg" if kind == OLD else ".dockerconfigjson"
    return Secret(ObjectRef("default", name), {key: json.dumps(content).encode()}, kind)


def users(image: str, *places: str) -> list[str]:
    """The users that are tried for the image; the user of each place has its name."""
    found = candidates([secret({place: {"username": place, "password": "p"} for place in places})], image)
    return [each.credentials.username for each in found]


@pytest.mark.parametrize(
    ("image", "place", "matches"),
    [
        ("r.example/app:1", "r.example", True),
        ("r.example/app@sha256:" + "a" * 64, "r.example", True),
        ("r.example/app:1", "https://r.example", True),
        ("r.example/app:1", "http://r.example/", True),
        ("r.example/app:1", "https://r.example/v1/", True),
        ("r.example/app:1", "https://r.example/v2/", True),
        ("r.example/team/app", "r.example/team", True),
        ("r.example/team/app", "r.example/team/app", True),
        ("r.example/other/app", "r.example/team", False),
        ("r.example/team/app", "https://r.example/v2/team", True),
        ("r.example:5000/app", "r.example:5000", True),
        ("r.example:5000/app", "r.example", False),
        ("r.example/app", "r.example:5000", False),
        ("a.r.example/app", "*.r.example", True),
        ("b.a.r.example/app", "*.r.example", False),
        ("b.a.r.example/app", "*.*.r.example", True),
        ("prefix-1.r.example/app", "prefix-*.r.example", True),
        ("r.example/app", "*.example", True),
        ("a.r.example/app", "r.example", False),
        ("127.0.0.1:5000/app", "127.0.0.1:5000", True),
        ("localhost/app", "localhost", True),
        ("nginx", "https://index.docker.io/v1/", True),
        ("team/nginx:1", "https://index.docker.io/v1/", True),
        ("docker.io/library/nginx", "https://index.docker.io/v1/", True),
        ("nginx", "docker.io", True),
        ("nginx", "r.example", False),
        # A host in upper case is a host: the password of Docker Hub is not for it.
        ("Corp/app", "https://index.docker.io/v1/", False),
        ("Corp/app", "Corp", True),
        ("r.example/app", "https://index.docker.io/v1/", False),
        ("[not an image", "r.example", False),
    ],
)
def test_an_entry_is_for_the_images_that_it_matches(image: str, place: str, *, matches: bool) -> None:
    assert users(image, place) == ([place] if matches else [])


def test_the_entry_with_the_most_special_place_is_tried_first() -> None:
    places = ("r.example", "*.example", "r.example/team/app", "r.example/team")
    assert users("r.example/team/app:1", *places) == ["r.example/team/app", "r.example/team", "r.example", "*.example"]


def test_several_secrets_are_tried_in_their_order_and_equal_credentials_once() -> None:
    entry = {"r.example": {"username": "a", "password": "1"}}
    other = {"r.example": {"username": "b", "password": "2"}}
    given = [secret(entry, name="one"), secret(other, name="two"), secret(entry, name="three")]
    found = candidates(given, "r.example/app")
    credentials = [each.credentials for each in found]
    assert [(each.username, each.password, each.source) for each in credentials] == [
        ("a", "1", 'secret "default/one"'),
        ("b", "2", 'secret "default/two"'),
    ]
    assert "1" not in repr(found[0])


@pytest.mark.parametrize("padding", ["=", ""])
def test_the_field_auth_counts_more_than_user_and_password(padding: str) -> None:
    auth = base64.b64encode(b"user:pass:word").decode().rstrip("=") + padding
    assert len(auth.rstrip("=")) % 4 == 3
    (candidate,) = candidates([secret({"r.example": {"username": "x", "password": "y", "auth": auth}})], "r.example/a")
    found = candidate.credentials
    assert (found.username, found.password) == ("user", "pass:word")


def test_the_old_form_has_no_auths() -> None:
    given = secret({"r.example": {"username": "a", "password": "b"}}, kind=OLD)
    assert [each.credentials.username for each in candidates([given], "r.example/a")] == ["a"]


def test_a_secret_of_another_type_is_left_out_and_one_without_a_type_is_read() -> None:
    auths = {"r.example": {"username": "a", "password": "b"}}
    data = secret(auths).data
    assert candidates([Secret(ObjectRef("default", "s"), data, "Opaque")], "r.example/a") == ()
    assert len(candidates([Secret(ObjectRef("default", "s"), data)], "r.example/a")) == 1


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"auths": []}', b'{"auths": {"r": 1}}', b'{"auths": {"r": {"auth": "c2VjcmV0"}}}', b"\xff"],
)
def test_a_secret_that_cannot_be_read_is_named_and_its_content_is_not(content: bytes) -> None:
    broken = Secret(ObjectRef("default", "s"), {".dockerconfigjson": content}, CONFIG)
    with pytest.raises(PullSecretError) as caught:
        candidates([broken], "r/a")
    assert str(caught.value) == 'secret "default/s": .dockerconfigjson is not a Docker configuration'


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("team/app:1", "docker.io/team/app"),
        ("index.docker.io/nginx", "docker.io/library/nginx"),
        ("r.example:5000/a/b:1", "r.example:5000/a/b"),
        ("localhost/a", "localhost/a"),
        ("[::1]:5000/a:1", "[::1]:5000/a"),
        ("app@sha256:" + "0" * 64, "docker.io/library/app"),
    ],
)
def test_the_whole_name_of_an_image(image: str, name: str) -> None:
    assert repository(image) == name
