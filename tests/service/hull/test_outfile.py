"""The output file of a command: regular files, pipes, links and the standard output."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hull.outfile import written


def test_a_file_is_complete_or_unchanged(tmp_path: Path) -> None:
    target = tmp_path / "b.tar"
    target.write_text("before")
    with pytest.raises(KeyError), written(target, mode=0o600) as file:
        file.write(b"half")
        raise KeyError
    assert target.read_text() == "before"
    with written(target, mode=0o600) as file:
        file.write(b"all")
    assert target.read_text() == "all"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_pipe_is_written_into_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with written(pipe, mode=0o600) as file:
        file.write(b"all")
    reader.join()
    assert read == [b"all"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_symbolic_link_stays(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    link = tmp_path / "b.tar"
    link.symlink_to("shelf/b.tar")
    for content in (b"first", b"second"):
        with written(link, mode=0o600) as file:
            file.write(content)
        assert (tmp_path / "shelf/b.tar").read_bytes() == content
    assert link.is_symlink() and len(list((tmp_path / "shelf").iterdir())) == 1


def test_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for name in ("-", "/dev/stdout"):
        with written(Path(name), mode=0o600) as file:
            file.write(b"all")
        assert capfdbinary.readouterr().out == b"all"


@pytest.mark.parametrize("name", ["nowhere/b.tar", "."])
def test_an_error_names_the_path_as_it_was_typed(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=name) as raised, written(tmp_path / name, mode=0o600) as file:
        file.write(b"all")
    assert raised.value.filename == str(tmp_path / name)


def test_a_reader_that_goes_away_is_an_error(tmp_path: Path) -> None:
    script = "from hull.outfile import written; from pathlib import Path\n"
    script += "with written(Path('-'), mode=0o600) as file: file.write(bytes(1 << 20))"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert b"BrokenPipeError" in process.stderr.read()
        assert process.wait(20) == 1
