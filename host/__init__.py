"""This host as a place where Sampan is installed, and as a node.

Installing runs before anything is installed, on the distribution's bare Python and out of the wheel itself. What it
consists of imports the standard library and `hull` only:

- `source`, `wheels`, `bundle`: what is installed; `release`: the releases on the host;
- `layout`, `config`, `record`, `files`, `system`, `errors`: paths, first configuration, what was made, and how;
- `services`: unit files, snippets for network managers, starting and watching; `host_files`: all files that a release
  needs on the host, a contract between releases;
- `installation`: install, upgrade, uninstall.

`config` alone asks the daemons, when it writes a configuration: master/config.py and agent/config.py, which run on a
bare Python too. `preflight` (is the host fit to be a node or a master?) and `membership` (join, leave, reset) run from
an installed release: they import `client` and what the agent offers a command. import-linter holds all of this.
"""
