"""Service accounts as callers: their tokens, and the objects that keep a token valid."""
