"""Git and pull requests: worktrees of repositories, and their branches at the forge."""

from app.services.github.base import GitHub, Repositories
from app.services.github.factory import get_repositories, make_repositories

__all__ = ["GitHub", "Repositories", "get_repositories", "make_repositories"]
