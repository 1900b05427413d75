"""The pages: what a browser shows of the models, as HTML.

The room is pure: it asks nobody and decides nothing. All text that it is given is hostile (tickets, repositories, model
output, file names), so only the renderers of Markdown and of diffs make markup from it; everything else is escaped.
"""
