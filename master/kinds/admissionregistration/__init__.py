"""Rules of the passive kinds of the group admissionregistration that a declaration cannot say."""
