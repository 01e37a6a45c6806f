"""Rules of the passive kinds of the group storagemigration that a declaration cannot say."""
