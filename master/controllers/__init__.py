"""The controllers: each watches the cache, compares desired with observed and calls the API like any client."""
