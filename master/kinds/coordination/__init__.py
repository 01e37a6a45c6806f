"""Rules of the passive kinds of the group coordination that a declaration cannot say."""
