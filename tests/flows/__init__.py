"""From webhook to pull request on real parts: the service as a process of its own, the real SDK, CLI, git and gh."""
