"""The recipes of hosts that boot systemd, and their Dockerfiles: what `vagrant/` and the tests' beds build from."""
