"""From models to what a page shows. Pure: no clock, no input or output, no markup.

Times are given as they are; the page's scripts make them local and keep them going.
"""
