"""What doors share: who may come in, how often, with what, and what they hear when something is wrong."""
