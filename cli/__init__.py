"""The `sampan` command: parses, calls and prints, and nothing else. It alone chooses exit codes.

commands.py lists the commands with their modules. A module has `add(subparsers)` and imports what a command needs when
the command runs: at import it needs the standard library only, so that help works and starts at once anywhere.
"""
