"""Where a repository's things are on disk: its clone, its worktrees, and what only the service looks at."""

from dataclasses import dataclass
from pathlib import Path

from app.errors import ConfigurationError


def folder_of(name: str) -> str:
    """The directory name of a repository called `owner/name`."""
    return name.replace("/", "--")


@dataclass(frozen=True)
class Places:
    """Where the things of one repository are: `root` is WORKSPACE_DIR itself for the default one."""

    root: Path

    def of_another(self, name: str) -> "Places":
        """The places of another repository than the default one. `name` is `owner/name`."""
        return Places(self.root / "repositories" / folder_of(name))

    @property
    def clone(self) -> Path:
        """The shared clone, when REPO_URL is set."""
        return self.root / "repo"

    @property
    def worktrees(self) -> Path:
        """One worktree for each branch, by its name."""
        return self.root / "worktrees"

    @property
    def private(self) -> Path:
        """The private git directory."""
        return self.root / ".publisher.git"

    @property
    def saved(self) -> Path:
        """What was unpushed when its worktree was removed."""
        return self.root / "saved"

    @property
    def trash(self) -> Path:
        """Directories on their way out."""
        return self.root / ".trash"

    @property
    def staging(self) -> Path:
        """Worktrees in the making."""
        return self.root / ".staging"

    @property
    def empty(self) -> Path:
        """A directory with nothing in it, for programs that look around where they start."""
        return self.root / ".empty"

    @property
    def gh_config(self) -> Path:
        """Configuration of gh, when the token is ours and the operator named no other."""
        return self.root / ".gh"

    @property
    def lock(self) -> Path:
        """The file whose lock guards the clone."""
        return self.root / ".clone.lock"

    def leftovers(self) -> tuple[Path, ...]:
        """What is on its way out or in the making at the moment, or was when its process ended."""
        return (*self.trash.iterdir(), *self.staging.iterdir())

    def make(self) -> None:
        """Create what can be created without git."""
        try:
            for path in (self.root, self.worktrees, self.saved, self.trash, self.staging, self.empty):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{self.root} cannot be written: {error.strerror}. Set WORKSPACE_DIR to a directory that can."
            raise ConfigurationError(message) from error
