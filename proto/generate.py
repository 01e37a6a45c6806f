"""Writes proto/gen from proto/*.proto: `python -m proto.generate`.

This is the only place that calls protoc, so that the freshness test and a person get the same bytes. The .proto files
import each other as proto/gen/NAME.proto, and protoc maps this virtual folder to proto/. So the generated modules
import each other from the folder that they are in.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def generate(out: Path) -> None:
    """Write the generated modules below `out`, as out/proto/gen/*. Raises CalledProcessError if a .proto is wrong."""
    sources = sorted(path.name for path in (ROOT / "proto").glob("*.proto"))
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "-Iproto/gen=proto", f"-I{_includes()}"]
    messages = [*protoc, f"--python_out={out}", f"--pyi_out={out}"]
    subprocess.run([*messages, *(f"proto/gen/{name}" for name in sources)], cwd=ROOT, check=True)
    subprocess.run([*protoc, f"--grpc_python_out={out}", "proto/gen/session.proto"], cwd=ROOT, check=True)


def _includes() -> Path:
    import grpc_tools

    return Path(grpc_tools.__file__).parent / "_proto"


if __name__ == "__main__":
    generate(ROOT)
