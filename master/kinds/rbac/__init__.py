"""Rules of the passive kinds of the group rbac that a declaration cannot say."""
