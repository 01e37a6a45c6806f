"""The group events.k8s.io: the events of the core group in another form."""
