"""All tests of this checkout run with the plugin that other projects install; `pytester` runs it inside of tests."""

pytest_plugins = ["lab.plugin", "pytester"]
