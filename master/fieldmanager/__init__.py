"""Field managers: which client owns which fields of an object, and the merge of configurations that clients apply."""
