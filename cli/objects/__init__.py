"""The commands about objects of the API. None of them has a list of kinds: the server says what it has."""
