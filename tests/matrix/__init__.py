"""The crash matrix: a run dies at every effect that the product has, and its pull request is the same.

`uv run python -m tests.matrix` plays all of it and prints the table for the README.
"""
