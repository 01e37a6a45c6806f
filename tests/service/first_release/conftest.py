"""A master of today on the first release's store."""

from tests.unit.first_release.conftest import clock, data_dir, master  # noqa: F401 - fixtures
