"""Rules of the passive kinds of the group apiregistration that a declaration cannot say."""
