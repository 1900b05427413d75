"""auto-code: a ticket becomes a reviewed pull request."""
