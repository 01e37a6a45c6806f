"""The plugin's clusters: made and removed, reset between tests, spoiled and mended, told of when a test fails."""
