"""Rules of the passive kinds of the group policy that a declaration cannot say."""
