"""What a daemon's log looks like, and which release it says it is."""

import json
import logging
from collections.abc import Iterator

import pytest

from cli import logs
from cli.main import main


@pytest.fixture(autouse=True)
def _log_of_the_tests() -> Iterator[None]:
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
    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"]) == ("error", "agent.y", "pod default/web")
    assert "ValueError" in said["exception"]


def test_the_release_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("sampan 0.")
