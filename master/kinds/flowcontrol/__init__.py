"""Rules of the passive kinds of the group flowcontrol that a declaration cannot say."""
