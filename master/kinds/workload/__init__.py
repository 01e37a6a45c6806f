"""What the kinds that make pods share: pod templates, selectors, rolling updates, conditions, status, table columns."""
