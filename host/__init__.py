"""This host as a place where Sampan is installed: paths, releases, units, the record of what was done.

Installing runs before anything is installed, on the distribution's own Python: install.py, upgrade.py, uninstall.py,
bundle.py and what they import need the standard library only, and of ours the two modules that know the configuration
files (master/config.py, agent/config.py). What asks whether a host is fit to be a node, makes it one
and lets it go again (preflight, membership*.py) runs from an installed release and imports what that has.
"""
