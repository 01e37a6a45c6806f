"""One module per area; its docstring documents how it measures."""
