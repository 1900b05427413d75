"""Journeys: people use the real service in a real browser, with the real CLI, git and gh; only the far side is ours."""
