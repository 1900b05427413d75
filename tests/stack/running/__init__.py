"""The image and the stack, tried from outside. `.ci/stack` builds what these tests need, and calls them.

They are none of the suite that `pytest` finds by itself, which wants no engine.
"""
