"""The systemd services of an installed host: their unit files, the snippets beside them, starting and watching them.

Standard library and `hull` only, as everything that installs.
"""
