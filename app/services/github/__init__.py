"""Git and pull requests: worktrees of one repository, and their branches at the forge."""

from app.services.github.base import GitHub
from app.services.github.factory import get_github, make_github

__all__ = ["GitHub", "get_github", "make_github"]
