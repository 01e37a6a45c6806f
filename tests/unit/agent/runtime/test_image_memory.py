"""The cache of the engine's images: nothing is kept that may have changed."""

from __future__ import annotations

from agent.runtime.imagememory import Image, ImageMemory

WEB = Image("sha256:web", "")


def test_an_image_is_kept_while_events_are_followed() -> None:
    memory = ImageMemory()
    memory.put("web", WEB, asked_at=memory.changes)
    assert memory.get("web") is None
    memory.watch()
    memory.put("web", WEB, asked_at=memory.changes)
    assert memory.get("web") == WEB
    memory.unwatch()
    assert memory.get("web") is None


def test_an_answer_from_before_a_change_is_not_kept() -> None:
    memory = ImageMemory()
    memory.watch()
    asked_at = memory.changes
    memory.forget()
    memory.put("web", WEB, asked_at=asked_at)
    assert memory.get("web") is None
