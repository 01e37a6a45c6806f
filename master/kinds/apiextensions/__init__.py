"""Rules of the passive kinds of the group apiextensions that a declaration cannot say."""
