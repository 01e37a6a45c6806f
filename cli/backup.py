"""`sampan backup` and `sampan restore`: the master's state as one file, on the master's host."""

import argparse
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli import exits
from cli.options import add_master, master_data_dir
from cli.parsing import add_command
from hull.outfile import is_stdout


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    backup = add_command(
        subparsers,
        "backup",
        description="Save the running master's state in a file: its store, its certificates with their keys, and its "
        "configuration, all of one moment. The file gives full access to the cluster, so only its owner can read it.",
    )
    backup.add_argument(
        "file",
        type=Path,
        metavar="FILE|DIR",
        help="- writes to standard output; in a directory, the time becomes the file's name",
    )
    backup.add_argument(
        "--keep",
        type=_positive,
        metavar="N",
        help="in DIR: remove all backups of this master but the newest N",
    )
    add_master(backup)
    backup.set_defaults(run=_backup)
    restore = add_command(
        subparsers,
        "restore",
        description="Replace a stopped master's state by a backup. When the master starts again, it brings nodes and "
        "clients to the state of the backup: newer pods are removed, older ones keep running. A node that joined "
        "after the backup must join again.",
    )
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument("--force", action="store_true", help="set the data directory's present content aside")
    add_master(restore)
    restore.set_defaults(run=_restore)


def _backup(options: argparse.Namespace) -> int:
    from master import administration, backup_directory

    directory, file = master_data_dir(options), options.file
    if options.keep is not None and not file.is_dir():
        print(f"sampan: --keep is for backups in a directory, and {file} is not one", file=sys.stderr)
        return exits.USAGE
    now = datetime.now(UTC)
    target = backup_directory.place(file, now=now, keep=options.keep) if file.is_dir() else nullcontext(file)
    try:
        with target as path:
            size = administration.save_backup(directory, path, follow_links=path == file)
    except administration.NotRunning as error:
        print(f"sampan: {error}; start it: a backup is made by the running master", file=sys.stderr)
        return exits.UNREACHABLE
    stream = sys.stderr if is_stdout(file) else sys.stdout
    print(f"{path}: {size / 1e6:.1f} MB; keep it safe: it contains the cluster's keys", file=stream)
    return exits.OK


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def _restore(options: argparse.Namespace) -> int:
    from master import backup

    directory = master_data_dir(options)
    if not options.file.is_file():
        raise FileNotFoundError(f"{options.file}: no such file")
    try:
        restored = backup.restore(options.file, directory, force=options.force)
    except OSError as error:
        if error.filename is None and error.strerror:
            raise OSError(error.errno, error.strerror, str(directory)) from error
        raise
    print(f"restored cluster {restored.cluster_id} of {restored.made_at} in {directory}")
    print(f"it continues at revision {restored.revision}")
    if restored.set_aside is not None:
        print(f"the previous content is in {restored.set_aside}; remove it when everything works")
    if (configuration := directory / "restored-master.toml").exists():
        print(f"the backup's configuration is in {configuration}; the master does not use it")
    print("start the master now; the nodes follow")
    return exits.OK
