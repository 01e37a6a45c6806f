"""Rules of the passive kinds of the group certificates that a declaration cannot say."""
