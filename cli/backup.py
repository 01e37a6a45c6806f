"""`sampan backup` and `sampan restore`: the master's state as one file, on the master's host."""

import argparse
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli import backup_directory, exits, master_door
from hull.outfile import is_stdout, written


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    backup = subparsers.add_parser(
        "backup",
        help="save the running master's state in a file",
        description="Store, certificates with their keys, and configuration, of one moment. Who has the file has the "
        "cluster: it is readable by its owner only.",
    )
    backup.add_argument(
        "file",
        type=Path,
        metavar="FILE|DIR",
        help="- is the standard output; in a directory, the time is the file's name",
    )
    backup.add_argument(
        "--keep", type=_positive, metavar="N", help="in DIR: then remove all backups of this master but the newest N"
    )
    master_door.add_master(backup)
    backup.set_defaults(run=_backup)
    restore = subparsers.add_parser(
        "restore",
        help="put a backup in place of a stopped master's state",
        description="When the master starts again, nodes and clients are brought to the state of the backup: what was "
        "made after it goes, what runs since before it is left alone. Nodes that joined after it must join again.",
    )
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument("--force", action="store_true", help="set aside what the data directory holds")
    master_door.add_master(restore)
    restore.set_defaults(run=_restore)


def _backup(options: argparse.Namespace) -> int:
    directory, file = master_door.data_dir(options), options.file
    if options.keep is not None and not file.is_dir():
        print(f"sampan: --keep is for backups in a directory, and {file} is not one", file=sys.stderr)
        return exits.USAGE
    named = (
        backup_directory.place(file, now=datetime.now(UTC), keep=options.keep) if file.is_dir() else nullcontext(file)
    )
    try:
        with named as path, master_door.ask(directory, "GET", "/backup") as answer:
            size = _save(answer, path)
    except master_door.NotRunning as error:
        print(f"sampan: {error}; start it: a backup is made by the master", file=sys.stderr)
        return exits.UNREACHABLE
    said = sys.stderr if is_stdout(options.file) else sys.stdout
    print(f"{path}: {size / 1e6:.1f} MB; keep it safe, the cluster's keys are in it", file=said)
    return exits.OK


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def _save(answer: Any, path: Path) -> int:
    """Its size in bytes. Raises OSError."""
    wanted = int(answer.headers["Content-Length"])
    size = 0
    with written(path, mode=0o600) as file:
        while chunk := answer.read(1 << 20):
            size += file.write(chunk)
        if size != wanted:
            raise OSError(f"the master's answer ended after {size} of {wanted} bytes: the backup is not whole")
    return size


def _restore(options: argparse.Namespace) -> int:
    from master import backup

    directory = master_door.data_dir(options)
    if not options.file.is_file():
        raise FileNotFoundError(f"{options.file}: no such file")
    try:
        done = backup.restore(options.file, directory, force=options.force)
    except OSError as error:
        if error.filename is None and error.strerror:
            raise OSError(error.errno, error.strerror, str(directory)) from error
        raise
    print(f"cluster {done.cluster_id} of {done.made_at} is in {directory}; it goes on at revision {done.revision}")
    if done.set_aside is not None:
        print(f"what was there before lies in {done.set_aside}; remove it when all is well")
    if (configuration := directory / "restored-master.toml").exists():
        print(f"the configuration of then is in {configuration}, and not in use")
    print("start the master; nodes come to this state by themselves")
    return exits.OK
