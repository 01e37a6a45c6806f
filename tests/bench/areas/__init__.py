"""One module an area; each says in its docstring how it measures."""
