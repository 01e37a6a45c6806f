"""Variables from files in volumes: the syntax of the files, and how they are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.model import Container, EmptyDir, EnvVar, FileKey, Volume
from agent.pods.envfile import BadEnvFile, value_of
from agent.pods.envsources import read_env_files
from agent.pods.errors import ContainerConfigError
from agent.statuses import Waiting
from tests.unit.agent.pods.bed import IMAGE, Bed, pod


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("\n \t\n# A='comment'\n  A='1'\n", "1", id="blank lines, comments, indented"),
        pytest.param("B='2'\nA='1'\nA='3'", "1", id="the first counts"),
        pytest.param("A='a=b $C \\n \"'", 'a=b $C \\n "', id="as it is"),
        pytest.param("A='1' # why", "1", id="comment after the value"),
        pytest.param("A='one\n  two\n\nthree'\r\nB='2'", "one\n  two\n\nthree", id="several lines"),
        pytest.param("A='1'\r\n", "1", id="lines of other systems"),
        pytest.param("A= '1'\n", "", id="a blank before the value, as in a shell"),
        pytest.param("A='1'\nbroken", "1", id="what follows is not read"),
    ],
)
def test_values(text: str, expected: str) -> None:
    assert value_of(text, "A") == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A", "line 1: missing '='"),
        ("\n='1'", "line 2: empty variable name"),
        ("B ='1'", "line 1: whitespace before '='"),
        ("B=1", "line 1: value must be enclosed in single quotes"),
        ('B="1"', "line 1: value must be enclosed in single quotes"),
        ("B='1", "line 1: unclosed single quote"),
        ("B='1\n2'3'", "line 2: unexpected content after closing quote"),
    ],
)
def test_broken_files(text: str, problem: str) -> None:
    with pytest.raises(BadEnvFile, match=problem):
        value_of(text, "A")


def reads(path: str, *, optional: bool = False, key: str = "A") -> Container:
    return Container("app", IMAGE, env=(EnvVar("NAME", file_key=FileKey("v", path, key, optional)),))


def test_a_file_is_read_beneath_its_volume_only(tmp_path: Path) -> None:
    volume = tmp_path / "v"
    (volume / "deep").mkdir(parents=True)
    (volume / "deep" / "file").write_text("A='1'")
    (tmp_path / "secret").write_text("A='2'")
    (volume / "link").symlink_to("deep/file")
    (volume / "out").symlink_to("../secret")
    (volume / "absolute").symlink_to(tmp_path / "secret")
    os.mkfifo(volume / "pipe")
    (volume / "large").write_text("#" * (65 << 10))
    volumes = {"v": volume}
    for path in ("deep/file", "link"):
        assert read_env_files(reads(path), volumes) == {("v", path): "A='1'"}
    for path in ("none", "none/file"):
        assert read_env_files(reads(path), volumes) == {}
    assert not (volume / "none").exists()
    for path in ("out", "absolute", "pipe", "large", "deep", "deep/file/below"):
        with pytest.raises(ContainerConfigError, match=f'"{path}" of volume "v" cannot be read'):
            read_env_files(reads(path), volumes)
    with pytest.raises(ContainerConfigError, match='cannot find the volume "v"'):
        read_env_files(reads("file"), {})


VOLUMES = (Volume("v", EmptyDir()),)


def write(bed: Bed, text: str) -> None:
    volume = bed.config.state_dir / "pods" / "u1" / "volumes" / "v"
    volume.mkdir(parents=True)
    (volume / "file").write_text(text)


@pytest.mark.parametrize(
    ("text", "container", "expected"),
    [
        pytest.param("A='1'", reads("file"), ["NAME=1"], id="a value"),
        pytest.param("A=''", reads("file", optional=True), [], id="optional and empty"),
        pytest.param("B='1'", reads("file", optional=True), [], id="optional and missing"),
        pytest.param("B='1'", reads("none", optional=True), [], id="optional without a file"),
    ],
)
async def test_the_variable_is_set(bed: Bed, text: str, container: Container, expected: list[str]) -> None:
    write(bed, text)
    async with bed.running(pod(containers=(container,), volumes=VOLUMES, enable_service_links=False)):
        (spec,) = bed.engine.specs.values()
        assert list(spec.env) == expected


@pytest.mark.parametrize(
    ("text", "container", "problem"),
    [
        pytest.param("A=''", reads("file"), 'environment variable key "A" not found in file', id="empty"),
        pytest.param("A='1'", reads("none"), '"none" of volume "v" does not exist', id="no file"),
        pytest.param("A", reads("file", optional=True), "line 1: missing '='", id="broken, though optional"),
        pytest.param(f"A='{'x' * 32769}'", reads("file"), "exceeds maximum length of 32 KiB", id="a long value"),
        pytest.param("A='1'", reads("file", key="A" * 129), "exceeds maximum length of 128", id="a long name"),
    ],
)
async def test_the_container_waits_with_the_reason(bed: Bed, text: str, container: Container, problem: str) -> None:
    write(bed, text)
    async with bed.running(pod(containers=(container,), volumes=VOLUMES)):
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CreateContainerConfigError"
        assert problem in state.message
