"""The kubectls of this machine read YAML as the recorded facts say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.kubectl import newer_kubectls
from tests.kubectl_yaml import FACTS, HEAD, same, values

KUBECTLS = list(newer_kubectls())


def read(binary: Path, home: Path, text: str) -> subprocess.CompletedProcess[str]:
    command = [str(binary), "label", "--local", "-f", "-", "x=y", "-o", "json"]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, env={"HOME": str(home)})


@pytest.mark.skipif(not KUBECTLS, reason="needs kubectl")
@pytest.mark.parametrize("binary", KUBECTLS, ids=lambda path: path.name)
def test_kubectl_reads_yaml_as_recorded(binary: Path, tmp_path: Path) -> None:
    facts = [fact for fact in FACTS if not fact.refused]
    answer = read(binary, tmp_path, "---\n".join(f"{HEAD}{fact.text}\n" for fact in facts))
    assert answer.returncode == 0, answer.stderr
    for fact, item in zip(facts, values(answer.stdout), strict=True):
        rest = {key: item[key] for key in item if key not in ("apiVersion", "kind", "metadata")}
        assert same(rest, fact.value), fact.text


@pytest.mark.skipif(not KUBECTLS, reason="needs kubectl")
def test_kubectl_refuses_what_is_recorded_as_refused(tmp_path: Path) -> None:
    for fact in FACTS:
        if fact.refused:
            assert read(KUBECTLS[0], tmp_path, f"{HEAD}{fact.text}\n").returncode != 0, fact.text
