"""The words that name objects, before any server says what they mean."""

from __future__ import annotations

import argparse

import pytest

from cli.objects.references import Reference, parse


@pytest.mark.parametrize(
    ("words", "references"),
    [
        ("pods", [Reference("pods")]),
        ("pod web db", [Reference("pod", ("web", "db"))]),
        ("pods,svc", [Reference("pods"), Reference("svc")]),
        ("rc,svc web", [Reference("rc", ("web",)), Reference("svc", ("web",))]),
        ("pod/web deployments.v1.apps/db", [Reference("pod", ("web",)), Reference("deployments.v1.apps", ("db",))]),
        ("", []),
    ],
)
def test_words_become_types_and_names(words: str, references: list[Reference]) -> None:
    assert parse(words.split()) == references


@pytest.mark.parametrize("words", ["pod/", "/web", "pod/a/b", "pod/web svc", "pods,", "pod ..", "pod a%2fb", "1pod"])
def test_other_words_are_refused(words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse(words.split())
