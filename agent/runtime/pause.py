"""The sandbox's image, contained in the agent: one program of about a hundred bytes that only waits.

So the first pod needs no registry. The program blocks all signals and waits for them: SIGTERM and SIGINT end it, at
SIGCHLD it reaps its children, as the first process of a PID namespace must. (The kernel drops a signal to such a
process unless it is blocked or handled: pid_namespaces(7).)
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import struct
import tarfile
from typing import Final

from agent.runtime.errors import BadRequest

REFERENCE: Final = "sampan/pause:1"

_X86_64: Final = bytes.fromhex(
    "6aff"  # push -1              the set of all signals, on the stack
    "4889e6"  # mov rsi, rsp
    "31ff"  # xor edi, edi         SIG_BLOCK
    "31d2"  # xor edx, edx
    "6a08415a"  # push 8; pop r10      size of a set
    "6a0e58"  # push 14; pop rax     rt_sigprocmask
    "0f05"  # syscall
    # wait:
    "4889e7"  # mov rdi, rsp
    "31f6"  # xor esi, esi
    "31d2"  # xor edx, edx         no time-out
    "6a08415a"  # push 8; pop r10
    "b880000000"  # mov eax, 128         rt_sigtimedwait
    "0f05"  # syscall
    "83f811"  # cmp eax, 17          SIGCHLD
    "7411"  # je reap
    "83f80f"  # cmp eax, 15          SIGTERM
    "7405"  # je end
    "83f802"  # cmp eax, 2           SIGINT
    "75df"  # jne wait
    # end:
    "31ff"  # xor edi, edi
    "6a3c58"  # push 60; pop rax     exit
    "0f05"  # syscall
    # reap:
    "6aff5f"  # push -1; pop rdi     any child
    "31f6"  # xor esi, esi
    "6a015a"  # push 1; pop rdx      WNOHANG
    "4531d2"  # xor r10d, r10d
    "6a3d58"  # push 61; pop rax     wait4
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "7fec"  # jg reap
    "ebc2"  # jmp wait
)
_AARCH64: Final = struct.pack(
    "<32I",
    0x92800000,  # mov x0, #-1          the set of all signals, on the stack
    0xF81F0FE0,  # str x0, [sp, #-16]!
    0xD2800000,  # mov x0, #0           SIG_BLOCK
    0x910003E1,  # mov x1, sp
    0xD2800002,  # mov x2, #0
    0xD2800103,  # mov x3, #8           size of a set
    0xD28010E8,  # mov x8, #135         rt_sigprocmask
    0xD4000001,  # svc #0
    # wait:
    0x910003E0,  # mov x0, sp
    0xD2800001,  # mov x1, #0
    0xD2800002,  # mov x2, #0           no time-out
    0xD2800103,  # mov x3, #8
    0xD2801128,  # mov x8, #137         rt_sigtimedwait
    0xD4000001,  # svc #0
    0x7100441F,  # cmp w0, #17          SIGCHLD
    0x54000100,  # b.eq reap
    0x71003C1F,  # cmp w0, #15          SIGTERM
    0x54000060,  # b.eq end
    0x7100081F,  # cmp w0, #2           SIGINT
    0x54FFFEA1,  # b.ne wait
    # end:
    0xD2800000,  # mov x0, #0
    0xD2800BA8,  # mov x8, #93          exit
    0xD4000001,  # svc #0
    # reap:
    0x92800000,  # mov x0, #-1          any child
    0xD2800001,  # mov x1, #0
    0xD2800022,  # mov x2, #1           WNOHANG
    0xD2800003,  # mov x3, #0
    0xD2802088,  # mov x8, #260         wait4
    0xD4000001,  # svc #0
    0x7100001F,  # cmp w0, #0
    0x54FFFF2C,  # b.gt reap
    0x17FFFFE9,  # b wait
)

_MACHINES: Final = {"x86_64": (62, "amd64", _X86_64), "aarch64": (183, "arm64", _AARCH64)}
"""By the kernel's name of the machine: ELF machine number (elf.h), Docker's architecture, code."""
_BASE: Final = 0x400000
_HEADERS: Final = 64 + 56
_PATH: Final = "pause"


def program(machine: str) -> bytes:
    """A static ELF executable: file header, one readable and executable segment, code. Raises BadRequest."""
    number, _, code = _known(machine)
    size = _HEADERS + len(code)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64 bits, little-endian, version 1
    header = struct.pack("<HHIQQQIHHHHHH", 2, number, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return identity + header + segment + code


def archive(machine: str = "") -> bytes:
    """The image in the format of `docker load`, reproducible byte by byte; by default for this machine.

    Raises BadRequest for a machine without code here; pause_image in agent.toml has to name another image then.
    """
    machine = machine or platform.machine()
    layer = _tar({_PATH: (program(machine), 0o755)})
    config = {
        "architecture": _known(machine)[1],
        "os": "linux",
        "config": {"Entrypoint": [f"/{_PATH}"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [REFERENCE], "Layers": ["layer.tar"]}]
    return _tar(
        {
            "config.json": (json.dumps(config).encode(), 0o644),
            "layer.tar": (layer, 0o644),
            "manifest.json": (json.dumps(manifest).encode(), 0o644),
        }
    )


def _known(machine: str) -> tuple[int, str, bytes]:
    if machine not in _MACHINES:
        raise BadRequest(f"the agent contains no {REFERENCE} for {machine}: set pause_image in agent.toml")
    return _MACHINES[machine]


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """A tar archive; all files are owned by root, with the time 0."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
