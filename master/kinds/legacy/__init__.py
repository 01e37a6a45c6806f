"""Old versions of kinds, which old clients and documents still send. Discovery lists them only by a setting."""
