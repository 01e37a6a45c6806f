"""Rules of the passive kinds of the group resource that a declaration cannot say."""
