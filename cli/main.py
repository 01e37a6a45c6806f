"""Entry point: chooses the subcommand, configures logging, turns errors into one line and an exit code."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Final

from cli import exits, output

_COMMANDS: Final = {
    "up": "cli.up",
    "down": "cli.down",
    "status": "cli.status",
    "lab": "cli.lab_commands",
    "master": "cli.daemons",
    "agent": "cli.daemons",
    "join": "cli.membership_commands",
    "leave": "cli.membership_commands",
    "reset": "cli.membership_commands",
    "check": "cli.check_command",
    "token": "cli.tokens",
    "certs": "cli.certs",
    "backup": "cli.backup",
    "restore": "cli.backup",
    "install": "cli.host_commands",
    "upgrade": "cli.host_commands",
    "uninstall": "cli.host_commands",
    "bundle": "cli.host_commands",
    "kubeconfig": "cli.kubeconfig",
    "apply": "cli.apply",
    "delete": "cli.delete",
    "build": "cli.build",
    "test": "cli.checkout",
    "bench": "cli.checkout",
}
_IN_A_CHECKOUT_ONLY: Final = ("build", "test", "bench")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    own, rest = split(arguments)
    output.prepare()
    try:
        with _interruptible():
            return _run(own, rest)
    except KeyboardInterrupt:
        print("sampan: interrupted; run the command again to go on", file=sys.stderr)
        return exits.INTERRUPTED


def _run(own: Sequence[str], rest: list[str]) -> int:
    """Raises KeyboardInterrupt; any other error is told, and an exit code."""
    debug = False
    try:
        options = _parser(own).parse_args(own)
        options.rest, debug = rest, options.debug
        _configure_logging(debug=debug)
        return int(options.run(options))
    except Exception as error:  # the last boundary: a person gets one line, the log the rest
        if _was_interrupted(error):
            raise KeyboardInterrupt from error
        return _failed(error, debug=debug)


@contextmanager
def _interruptible() -> Iterator[None]:
    """While a command runs, an interrupt is an exception; before and after, where nobody could tell it in a line, it
    just ends the process. So the entry scripts want it; whoever else calls `main` has it his own way.

    Interrupts come in pairs: `timeout` signals its child and then the group, and people press twice. The second one
    may cut what the first one began to undo, but not the line that tells it."""
    ends = signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    if ends:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        if ends:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise
    finally:
        # A command may have chosen to hear of none any more.
        if ends and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether an interrupt is behind it: some who are interrupted raise an error of their own (a class that is being
    made, Python 3.11)."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or _was_interrupted(error.__cause__))


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our words, and those of another program, which argparse must not see: behind `--`, and pytest's behind `test`."""
    if "--" in arguments:
        cut = arguments.index("--")
        return list(arguments[:cut]), list(arguments[cut + 1 :])
    command = next((place for place, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    if arguments[command : command + 1] == ["test"] and not {"-h", "--help"} & set(arguments):
        return list(arguments[: command + 1]), list(arguments[command + 1 :])
    return list(arguments), []


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sampan", description="Kubernetes in Python that one person can read.", epilog=exits.HELP
    )
    parser.add_argument("--debug", action="store_true", help="log details and tracebacks to stderr")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the release and exit")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _modules(arguments):
        import_module(module).add(subparsers)
    return parser


class _Version(argparse.Action):
    """Looked up when it is asked for, so that no other command loads it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from master.main import VERSION

        print(f"sampan {VERSION}")
        parser.exit()


def _modules(arguments: Sequence[str]) -> list[str]:
    """The module of the command that was asked for; all of them when it is not clear, for the help."""
    asked = next((word for word in arguments if not word.startswith("-")), "")
    if asked in _COMMANDS and not (asked in _IN_A_CHECKOUT_ONLY and not in_checkout()):
        return [_COMMANDS[asked]]
    names = [name for name in _COMMANDS if in_checkout() or name not in _IN_A_CHECKOUT_ONLY]
    return list(dict.fromkeys(_COMMANDS[name] for name in names))


def in_checkout() -> bool:
    """Whether the tests lie beside the packages."""
    from pathlib import Path

    return (Path(__file__).resolve().parent.parent / "tests").is_dir()


def _configure_logging(*, debug: bool) -> None:
    """To stderr. The daemons configure their own, as their configuration says."""
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(name)s: %(message)s", force=True
    )


def _failed(error: Exception, *, debug: bool) -> int:
    """One line for the error, by its type. Packages that were not imported cannot have raised it."""
    if debug:
        logging.getLogger(__name__).debug("failed", exc_info=error)
    hint = "; only root may" if isinstance(error, PermissionError) and os.geteuid() != 0 else ""
    print(f"sampan: {str(error) or type(error).__name__}{hint}", file=sys.stderr)
    for name, code in (
        ("lab.errors.NotFound", exits.NOT_FOUND),
        ("hull.errors.Busy", exits.BUSY),
        ("host.errors.NotInstalled", exits.NOT_FOUND),
        ("host.errors.WrongUse", exits.USAGE),
        ("client.errors.NotFound", exits.NOT_FOUND),
        ("client.errors.ConnectionFailed", exits.UNREACHABLE),
        ("client.errors.TrustFailed", exits.UNREACHABLE),
    ):
        module, _, attribute = name.rpartition(".")
        if module in sys.modules and isinstance(error, getattr(sys.modules[module], attribute)):
            return code
    return exits.FAILED
