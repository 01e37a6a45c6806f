"""Recipes of hosts that boot systemd, and their Dockerfiles; `vagrant/` and the tests' beds build hosts from them."""
