"""From a webhook to a pull request on real parts: the service as a process of its own, with the real SDK, CLI, git and gh."""
