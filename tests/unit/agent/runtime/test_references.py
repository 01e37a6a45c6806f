"""References of images: their parts, and what is not one."""

from __future__ import annotations

import pytest

from agent.runtime.errors import InvalidImageName
from agent.runtime.references import Reference, parse

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("tomcat", Reference("docker.io", "tomcat", "latest")),
        ("tomcat:9", Reference("docker.io", "tomcat", "9")),
        ("team/app", Reference("docker.io", "team/app", "latest")),
        ("localhost/app", Reference("localhost", "localhost/app", "latest")),
        ("registry.example/app:1", Reference("registry.example", "registry.example/app", "1")),
        ("127.0.0.1:5000/a/b_c/d--e:V.1-x", Reference("127.0.0.1:5000", "127.0.0.1:5000/a/b_c/d--e", "V.1-x")),
        ("[fd00::1]:5000/app", Reference("[fd00::1]:5000", "[fd00::1]:5000/app", "latest")),
        (f"app@{DIGEST}", Reference("docker.io", "app", DIGEST)),
        (f"r.example/app:1@{DIGEST}", Reference("r.example", "r.example/app", DIGEST)),
        (DIGEST, Reference("docker.io", "sha256", DIGEST[7:])),
    ],
)
def test_parts(image: str, expected: Reference) -> None:
    assert parse(image) == expected


@pytest.mark.parametrize(
    "image",
    [
        "",
        "http://registry.example/app",
        "https://a",
        "App",
        "team/App:1",
        "app:",
        "app:a b",
        "app:" + "x" * 129,
        "app@sha256:12",
        "app@",
        "a//b",
        "/app",
        "app/",
        "../../containers/json",
        "-registry.example/app",
        "a..b/c/",
        "app?x=1",
        "app\n",
        "äpp",
        "0123456789abcdef" * 4,
        "a/" * 200 + "b",
        "Bad@@Name",
    ],
)
def test_what_is_not_a_reference(image: str) -> None:
    with pytest.raises(InvalidImageName, match="couldn't parse image name"):
        parse(image)


def test_upper_case_is_named_as_the_mistake() -> None:
    with pytest.raises(InvalidImageName, match=r"repository name \(team/App\) must be lowercase"):
        parse("team/App:1")
