"""The options of exec and attach, and which container they mean."""

from __future__ import annotations

import pytest

from master.api.errors import BadRequest
from master.api.rest.query import Query
from master.kinds.core.pod.container import Container, EphemeralContainer
from master.kinds.core.pod.exec import has_terminal, process_options
from master.kinds.core.pod.log import log_container
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.pod.processes import ProcessOptions
from master.objects.meta import ObjectMeta


def pod(*names: str, init: tuple[str, ...] = (), ephemeral: tuple[str, ...] = ()) -> Pod:
    containers = tuple(Container(name=name, image="a", tty=name == "shell") for name in names)
    inits = tuple(Container(name=name, image="a") for name in init)
    later = tuple(EphemeralContainer(name=name, image="a", tty=name == "shell") for name in ephemeral)
    spec = PodSpec(containers=containers, init_containers=inits, ephemeral_containers=later)
    return Pod(metadata=ObjectMeta(name="web"), spec=spec)


@pytest.mark.parametrize(
    ("query", "options"),
    [
        pytest.param("command=a&command=b&stdout=1", ProcessOptions(("a", "b"), stdout=True), id="words"),
        pytest.param("command=a&stdin=true&tty=true", ProcessOptions(("a",), stdin=True, tty=True), id="terminal"),
        pytest.param(
            "command=a&stdout=1&stderr=1&tty=1", ProcessOptions(("a",), stdout=True, tty=True), id="terminal and stderr"
        ),
    ],
)
def test_options(query: str, options: ProcessOptions) -> None:
    assert process_options(Query.of(query), command=True) == options


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param("stdout=1", "you must specify at least 1 command for the container", id="no command"),
        pytest.param("command=a", "you must specify at least 1 of stdin, stdout, stderr", id="no streams"),
        pytest.param("command=a&tty=1&stderr=1", "you must specify at least 1 of stdin, stdout, stderr", id="stderr"),
    ],
)
def test_options_that_cannot_be(query: str, message: str) -> None:
    with pytest.raises(BadRequest) as error:
        process_options(Query.of(query), command=True)
    assert error.value.message == message


def test_the_only_container_needs_no_name() -> None:
    assert log_container(pod("app", init=("setup",)), "") == "app"
    assert log_container(pod("app", init=("setup",)), "setup") == "setup"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "a container name must be specified for pod web, choose one of: [setup app side debugger]"),
        ("other", "container other is not valid for pod web"),
    ],
    ids=["none", "unknown"],
)
def test_containers_that_cannot_be(name: str, message: str) -> None:
    with pytest.raises(BadRequest) as error:
        log_container(pod("app", "side", init=("setup",), ephemeral=("debugger",)), name)
    assert error.value.message == message


def test_a_container_has_the_terminal_of_its_spec() -> None:
    assert has_terminal(pod("app", "shell"), "shell")
    assert has_terminal(pod("app", ephemeral=("shell",)), "shell")
    assert not has_terminal(pod("app", "shell"), "app")
