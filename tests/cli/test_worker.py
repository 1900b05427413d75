"""`auto-code worker` where it cannot work."""

from tests.cli.shell import Shell

POSTGRES = "postgresql://nobody@127.0.0.1:1/nothing"


def test_a_worker_needs_a_database_that_it_can_share(shell: Shell) -> None:
    refused = shell.call("worker", OFFLINE="true")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.strip() == (
        "A worker shares its database with other processes, which a SQLite file does not allow. Set DATABASE_URL to a "
        "Postgres database that they all use, or run `auto-code serve` alone."
    )


def test_a_worker_without_a_credential_says_which_one(shell: Shell) -> None:
    refused = shell.call("worker", DATABASE_URL=POSTGRES)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.strip() == "Claude has no credential: set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN."
