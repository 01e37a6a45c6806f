"""Network namespaces: create, delete, list and enter them without a fork.

A `Where` names a namespace: None is the caller's own, a plain word is a name under /run/netns, and anything with a
slash is a path (`of_pid` and `of_fd` make such paths). Only a thread that was started for it enters a namespace, and
the thread ends there. The caller's own thread never changes its namespace, and nothing forks (a fork beside a busy gRPC
server kills the child). A socket that such a thread opens stays in its namespace, wherever it is used later.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from netstack.errors import NamespaceExists, NamespaceMissing

T = TypeVar("T")
Where = str | None

RUN_DIR: Final = Path("/run/netns")
_CLONE_NEWNET: Final = 0x40000000
_MS_BIND: Final = 0x1000
_MNT_DETACH: Final = 2
_MS_REC: Final = 1 << 14
_MS_SHARED: Final = 1 << 20
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1

_libc = ctypes.CDLL(None, use_errno=True)


def of_pid(pid: int) -> str:
    """Path of the namespace that the process lives in."""
    return f"/proc/{pid}/ns/net"


def of_fd(fd: int) -> str:
    """Path of the namespace behind an open descriptor of this process."""
    return f"/proc/self/fd/{fd}"


def path_of(where: str) -> str:
    """The file that represents the namespace."""
    return where if "/" in where else str(RUN_DIR / where)


def open_fd(where: Where) -> int:
    """Open a descriptor of the namespace; the caller closes it. It stays valid when the name is removed."""
    path = "/proc/thread-self/ns/net" if where is None else path_of(where)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise NamespaceMissing(f"network namespace {where} does not exist") from error


def run_in(where: Where, function: Callable[[], T]) -> T:
    """Call `function` inside the namespace, on a disposable thread. Returns or raises what the function does."""
    if where is None:
        return function()
    return _on_thread(lambda: enter(where), function)


def enter(where: Where) -> None:
    """Move the calling thread into the namespace. There is no return: use it only on a thread that ends there."""
    if where is None:
        return
    fd = open_fd(where)
    try:
        if _libc.setns(fd, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise NamespaceMissing(f"cannot enter network namespace {where}: {os.strerror(number)}")
    finally:
        os.close(fd)


def create(name: str) -> None:
    """Create a named namespace with its loopback up. Raises NamespaceExists."""
    create_all((name,))


def create_all(requested: Sequence[str]) -> None:
    """Create several namespaces like `create`, on one thread: all of them, or none when one fails."""
    _prepare()
    made: list[Path] = []

    def body() -> None:
        for name in requested:
            target = RUN_DIR / name
            _reserve(target)
            made.append(target)
            _unshare()
            _furnish(target)

    try:
        _on_thread(lambda: None, body)
    except BaseException:
        for target in made:
            delete(target.name)
        raise


@contextlib.contextmanager
def nameless() -> Iterator[str]:
    """A namespace without a name. It ends with the block, or with this process if that ends earlier."""

    def body() -> int:
        _unshare()
        return open_fd(None)

    fd = _on_thread(lambda: None, body)
    try:
        yield of_fd(fd)
    finally:
        os.close(fd)


def delete(name: str) -> None:
    """Remove the name; the namespace ends with its last process. Does nothing when the name does not exist."""
    target = RUN_DIR / name
    _libc.umount2(os.fsencode(target), _MNT_DETACH)
    target.unlink(missing_ok=True)


def names() -> tuple[str, ...]:
    """The names of all namespaces under /run/netns, sorted."""
    try:
        return tuple(sorted(entry.name for entry in RUN_DIR.iterdir()))
    except FileNotFoundError:
        return ()


def exists(where: str) -> bool:
    """Whether a namespace has this name, or the path exists."""
    return Path(path_of(where)).exists()


def identity(where: Where) -> tuple[int, int]:
    """Device and inode of the namespace: equal for two names of one namespace."""
    fd = open_fd(where)
    try:
        stat = os.fstat(fd)
        return stat.st_dev, stat.st_ino
    finally:
        os.close(fd)


def _prepare() -> None:
    """Create the directory and make it a mount of its own, as the first `ip netns add` on a machine does.

    If `ip netns add` did so later, it would mount the existing names a second time, and nobody could remove them. Once
    there is a name, it is therefore too late.
    """
    RUN_DIR.mkdir(parents=True, exist_ok=True)
    directory = os.fsencode(RUN_DIR)
    if any(RUN_DIR.iterdir()) or _libc.mount(b"", directory, b"none", _MS_SHARED | _MS_REC, None) == 0:
        return
    if _libc.mount(directory, directory, b"none", _MS_BIND | _MS_REC, None) != 0:
        _raise_errno(f"bind mount of {RUN_DIR}")
    if _libc.mount(b"", directory, b"none", _MS_SHARED | _MS_REC, None) != 0:
        _raise_errno(f"sharing the mount {RUN_DIR}")


def _reserve(target: Path) -> None:
    try:
        os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    except FileExistsError as error:
        raise NamespaceExists(f"network namespace {target.name} exists") from error


def _unshare() -> None:
    if _libc.unshare(_CLONE_NEWNET) != 0:
        _raise_errno("unshare(CLONE_NEWNET)")


def _furnish(target: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
    source = f"/proc/self/task/{threading.get_native_id()}/ns/net"
    if _libc.mount(source.encode(), os.fsencode(target), b"none", _MS_BIND, None) != 0:
        _raise_errno(f"bind mount of {target}")


def _raise_errno(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{what}: {os.strerror(number)}")


def _on_thread(prepare: Callable[[], None], function: Callable[[], T]) -> T:
    """Run both on a thread of their own. The thread is never used again, because its namespace has changed."""
    results: list[T] = []
    failures: list[BaseException] = []

    def body() -> None:
        try:
            prepare()
            results.append(function())
        except BaseException as error:  # noqa: BLE001  raised again on the caller's thread
            failures.append(error)

    thread = threading.Thread(target=body, name="netstack-namespace", daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
