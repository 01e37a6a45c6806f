"""When vagrant/cluster.rb makes a new bundle. Runs its own code with stubs of Vagrant and of the command."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from lab.environment import clean_environment
from tests.machine.vagrant import ROOT

SCRIPT: Final = """
require "open3"
module Vagrant
  module Errors
    class VagrantError < StandardError; end
  end

  module Util
    module Subprocess
      Result = Struct.new(:exit_code, :stdout, :stderr)
      def self.execute(*command, workdir:)
        stdout, stderr, status = Open3.capture3(*command, chdir: workdir)
        Result.new(status.exitstatus, stdout, stderr)
      end
    end
  end
end
require_relative "cluster"
quiet = Struct.new(:ui).new(Class.new { def info(_) = nil }.new)
Sampan::Cluster.new(__dir__).send(:make_bundle, quiet)
"""
"""Does about the bundle what one load of the Vagrantfile and one `up` do."""

COMMAND: Final = """\
#!/bin/sh
while [ $# -gt 1 ]; do shift; done
echo made >> "$1"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "vagrant").mkdir()
    shutil.copy(ROOT / "vagrant/cluster.rb", tmp_path / "vagrant")
    (tmp_path / "vagrant/up.rb").write_text(SCRIPT)
    (tmp_path / "agent").mkdir()
    for path in ("agent/node.py", "requirements.lock"):
        (tmp_path / path).touch()
    (tmp_path / "sampan").write_text(COMMAND)
    (tmp_path / "sampan").chmod(0o755)
    return tmp_path


def bundles(checkout: Path) -> int:
    """Run `up` once; the number of bundles that have been made in all."""
    done = subprocess.run(
        ["ruby", str(checkout / "vagrant/up.rb")],
        check=False, capture_output=True, text=True, env=clean_environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return len((checkout / "vagrant/.vagrant/sampan/bundle.tar").read_text().splitlines())


def later(path: Path, than: Path) -> None:
    """Set the modification time of `path` to 10 s after that of `than`."""
    moment = than.stat().st_mtime + 10
    os.utime(path, (moment, moment))


def test_a_checkout_is_bundled_once_and_again_when_it_has_changed(checkout: Path) -> None:
    bundle = checkout / "vagrant/.vagrant/sampan/bundle.tar"
    assert bundles(checkout) == 1
    assert bundles(checkout) == 1
    later(checkout / "agent/node.py", than=bundle)
    assert bundles(checkout) == 2
    os.utime(checkout / "agent/node.py", (0, 0))
    later(checkout / "agent", than=bundle)  # as when a file in it was removed
    assert bundles(checkout) == 3
