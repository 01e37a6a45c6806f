"""The core group: `/api/v1`."""
