"""The records of pulls on disk: what a later agent knows, also if the agent died in the middle of a pull."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.model import ObjectRef
from agent.pods.imageaccess import Access
from agent.pods.keyring import Candidate
from agent.pods.pullrecords import PullRecords
from agent.runtime.errors import EngineGone
from agent.runtime.fake import FakeRuntime
from agent.runtime.images import Credentials
from tests.unit.agent.fakes import HandClock, settle

pytestmark = pytest.mark.usefixtures("one_file_thread")

IMAGE, ID = "r.example/app:1", "sha256:app"
KEY = Candidate(Credentials("me", "right"), ObjectRef("default", "key"), "u1")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def engine(clock: HandClock) -> FakeRuntime:
    return FakeRuntime(clock)


async def pull(records: PullRecords, *, by: Candidate | None = KEY, image: str = IMAGE, before: str = "") -> None:
    await records.begin(image, before or None)
    await records.succeeded(image, ID, by)


async def test_a_later_agent_knows_how_an_image_was_pulled(tmp_path: Path, clock: HandClock) -> None:
    await pull(PullRecords(tmp_path, clock))
    later = PullRecords(tmp_path, clock)
    assert later.access(IMAGE, ID) == Access().granted(KEY, ID)
    assert later.access("r.example/app:2", ID) == Access().granted(KEY, ID), "by the name without the tag"
    assert later.access("r.example/other:1", ID) == Access(), "another name of the same image"
    assert later.access(IMAGE, "sha256:other") is None, "preloaded"
    assert [path.name for path in (tmp_path / "pulling").iterdir()] == []


async def test_the_password_is_not_on_disk(tmp_path: Path, clock: HandClock) -> None:
    await pull(PullRecords(tmp_path, clock))
    (file,) = (tmp_path / "pulled").iterdir()
    assert b"right" not in file.read_bytes() and file.stat().st_mode & 0o777 == 0o600


async def test_two_pulls_of_one_image_at_once(tmp_path: Path, clock: HandClock, engine: FakeRuntime) -> None:
    records = PullRecords(tmp_path, clock)
    await records.begin(IMAGE, None)
    await records.begin(IMAGE, None)
    await records.failed(IMAGE)
    assert records.access(IMAGE, ID) == Access(), "the other one may be done in the engine"
    await records.succeeded(IMAGE, ID, None)
    assert records.access(IMAGE, ID) == Access(everyone=True)


async def test_an_image_is_closed_while_its_pull_is_not_recorded_yet(tmp_path: Path, clock: HandClock) -> None:
    records = PullRecords(tmp_path, clock)
    await records.begin(IMAGE, "sha256:old")
    assert records.access(IMAGE, ID) == Access()
    assert records.access(IMAGE, "sha256:old") is None, "the image that was there before stays open"


async def test_an_image_whose_pull_was_cut_off_opens_to_nobody(
    tmp_path: Path, clock: HandClock, engine: FakeRuntime
) -> None:
    await PullRecords(tmp_path, clock).begin(IMAGE, None)
    engine.present[IMAGE] = ID
    later = PullRecords(tmp_path, clock)
    assert later.access(IMAGE, ID) == Access()
    await later.settle(engine)
    assert PullRecords(tmp_path, clock).access("another:name", ID) == Access(), "under no name at all"


async def test_an_image_that_was_there_before_the_cut_off_pull_stays_open(
    tmp_path: Path, clock: HandClock, engine: FakeRuntime
) -> None:
    engine.present[IMAGE] = ID
    await PullRecords(tmp_path, clock).begin(IMAGE, ID)
    later = PullRecords(tmp_path, clock)
    await clock.advance(61)
    await later.settle(engine)
    assert later.access(IMAGE, ID) is None and list((tmp_path / "pulling").iterdir()) == []


async def test_a_pull_that_was_cut_off_may_end_later(tmp_path: Path, clock: HandClock, engine: FakeRuntime) -> None:
    records = PullRecords(tmp_path, clock)
    await records.begin(IMAGE, None)
    records.cut_off(IMAGE)
    await records.settle(engine)
    engine.present[IMAGE] = ID
    await records.settle(engine)
    assert records.access(IMAGE, ID) == Access()


async def test_a_failed_pull_leaves_nothing(tmp_path: Path, clock: HandClock) -> None:
    records = PullRecords(tmp_path, clock)
    await records.begin(IMAGE, None)
    await records.failed(IMAGE)
    assert records.access(IMAGE, ID) is None, "an image that a person loads afterwards is preloaded"


async def test_a_full_disk_opens_no_image(tmp_path: Path, clock: HandClock, engine: FakeRuntime) -> None:
    records = PullRecords(tmp_path, clock)
    await records.begin(IMAGE, None)
    (tmp_path / "pulled").write_text("no directory")
    with pytest.raises(OSError):
        await records.succeeded(IMAGE, ID, None)
    assert records.access(IMAGE, ID) == Access()


async def test_a_full_disk_does_not_keep_pods_from_other_images_and_opens_none(
    tmp_path: Path, clock: HandClock, engine: FakeRuntime
) -> None:
    await PullRecords(tmp_path, clock).begin(IMAGE, None)
    engine.present[IMAGE] = ID
    records = PullRecords(tmp_path, clock)
    (tmp_path / "pulled").write_text("no directory")
    for _ in range(2):
        await records.settle(engine)
        assert records.access("another:name", ID) == Access()
        assert records.access("other:1", "sha256:other") is None
    (tmp_path / "pulled").unlink()
    await records.settle(engine)
    assert PullRecords(tmp_path, clock).access("another:name", ID) == Access()
    assert list((tmp_path / "pulling").iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"id": "x", "access": {"a": {"everyone": true}}}', "\0"])
async def test_a_broken_record_opens_its_image_to_nobody(tmp_path: Path, clock: HandClock, content: str) -> None:
    await pull(PullRecords(tmp_path, clock), by=None)
    (file,) = (tmp_path / "pulled").iterdir()
    file.write_text(content)
    later = PullRecords(tmp_path, clock)
    assert later.access(IMAGE, ID) == Access()
    await pull(later, by=None)
    assert later.access(IMAGE, ID) == Access(everyone=True)


async def test_records_of_images_that_are_gone_are_removed(
    tmp_path: Path, clock: HandClock, engine: FakeRuntime
) -> None:
    records = PullRecords(tmp_path, clock)
    await pull(records)
    engine.present["other:name"] = ID
    await records.prune(engine)
    assert records.access(IMAGE, ID) is not None
    engine.present.clear()
    await records.prune(engine)
    assert records.access(IMAGE, ID) is None and list((tmp_path / "pulled").iterdir()) == []


async def test_a_record_that_changes_while_the_engine_is_asked_stays(
    tmp_path: Path, clock: HandClock, engine: FakeRuntime
) -> None:
    records = PullRecords(tmp_path, clock)
    await pull(records)
    stuck = engine.stick("image_has")
    pruning = asyncio.create_task(records.prune(engine))
    await settle()
    await pull(records)
    stuck.set()
    await pruning
    assert records.access(IMAGE, ID) is not None


async def test_an_engine_that_is_away_is_asked_again(tmp_path: Path, clock: HandClock, engine: FakeRuntime) -> None:
    records = PullRecords(tmp_path, clock)
    await pull(records)
    engine.fail_next("image_has", EngineGone("away"))
    keeping = asyncio.create_task(records.keep(engine, 300.0))
    await clock.advance(1)
    assert records.access(IMAGE, ID) is not None
    await clock.advance(300)
    assert records.access(IMAGE, ID) is None
    keeping.cancel()
