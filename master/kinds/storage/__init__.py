"""Rules of the passive kinds of the group storage that a declaration cannot say."""
