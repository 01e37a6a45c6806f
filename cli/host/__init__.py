"""This host as a place where Sampan is installed: paths, releases, units, the record of what was done.

Installing runs before anything is installed, on the distribution's own Python: `install`, `upgrade`, `uninstall` and
what they import need the standard library only.
"""
