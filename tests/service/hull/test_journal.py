"""The formats of a daemon's log, and `--version`."""

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.main import main
from hull import logs


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_text_is_a_line_with_time_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text", "info")
    logging.getLogger("master.x").info("node %s: joined", "n1")
    logging.getLogger("master.x").debug("not asked for")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("INFO    master.x: node n1: joined")


def test_json_is_an_object_a_line_with_the_exception(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "debug")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("agent.y").exception("pod default/web")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("error", "agent.y", "pod default/web")
    assert "ValueError" in entry["exception"]


def test_the_journal_gets_the_bare_message_and_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as journald:
        journald.bind(str(tmp_path / "journal"))
        journald.settimeout(10.0)
        monkeypatch.setattr("hull.journal.SOCKET", tmp_path / "journal")
        logs.configure("journal", "info", "n1")
        logging.getLogger("agent.x").info("pod %s: started", "default/web")
        lines = journald.recv(1000).decode().splitlines()
        for handler in logging.getLogger().handlers:
            handler.close()
    assert lines[0] == "MESSAGE=pod default/web: started"
    assert {"SAMPAN_OBJECT=pod/default/web", "SAMPAN_NODE=n1", "LOGGER=agent.x"} <= set(lines)


def test_the_release_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("sampan 0.")
