"""Rules of the passive kinds of the group networking that a declaration cannot say."""
