"""The `sampan` command: parses, then calls. The only package that prints, chooses exit codes and configures logging.

Each subcommand is one module with `add(subparsers)` and imports what it needs when it runs: a daemon must not pay for
the lab, nor the lab for the master.
"""
