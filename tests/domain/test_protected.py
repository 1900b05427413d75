"""Which paths of a change need a person, and where a maintainer lets stand what looks like a secret."""

import pytest

from app.config import PROTECTED
from app.domain.protected import ALLOWED_AT, AllowedPaths, ProtectedPaths
from app.errors import ConfigurationError

USUAL = ProtectedPaths(PROTECTED)


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".github/actions/setup/action.yml",
        ".gitlab-ci.yml",
        "CODEOWNERS",
        "docs/CODEOWNERS",
        ".claude/settings.json",
        "packages/web/.claude/hooks/stop.sh",
        ".mcp.json",
        ".husky/pre-commit",
        "vendor/.gitattributes",
        ".gitmodules",
        ALLOWED_AT,
    ],
)
def test_what_runs_with_more_rights_is_protected_by_default(path: str) -> None:
    assert USUAL.covers(path)


@pytest.mark.parametrize(
    "path",
    [
        ".GitHub/Workflows/ci.yml",
        "docs/codeowners",
        ".git\N{ZERO WIDTH NON-JOINER}hub/workflows/ci.yml",
        ".github/work\N{SOFT HYPHEN}flows/ci.yml",
        ".github/work\N{VARIATION SELECTOR-16}flows/ci.yml",
        ".github/workflow\N{LATIN SMALL LETTER LONG S}/ci.yml",
        "\N{FULLWIDTH FULL STOP}github/workflows/ci.yml",
        ".github./workflows /ci.yml",
        ".github\\workflows\\ci.yml",
        ".claude/\udcff.sh",
    ],
)
def test_what_a_file_system_takes_for_a_protected_path_is_protected(path: str) -> None:
    assert USUAL.covers(path)


@pytest.mark.parametrize(
    "path", ["src/app.py", "docs/workflows/ci.yml", ".github/ISSUE_TEMPLATE/bug.md", "claude/settings.json", "owners"]
)
def test_other_paths_are_not_protected(path: str) -> None:
    assert not USUAL.covers(path)


@pytest.mark.parametrize("path", [".github", ".GITHUB", ".github/workflows", "web/.claude"])
def test_a_link_in_place_of_a_protected_directory_or_one_above_it_is_protected(path: str) -> None:
    assert USUAL.covers(path, is_link=True)
    assert not USUAL.covers("src", is_link=True)


def test_patterns_are_those_of_a_gitignore_file() -> None:
    paths = ProtectedPaths(("/infra/**/*.tf", "!/infra/dev/*.tf", "Secrets.yml"))

    assert paths.covers("infra/prod/main.tf")
    assert not paths.covers("infra/dev/main.tf")
    assert paths.covers("a/secrets.YML")
    assert not paths.covers("other/infra/main.tf")


def test_a_pattern_that_is_none_says_which_setting_to_correct() -> None:
    with pytest.raises(ConfigurationError, match="PROTECTED_PATTERNS"):
        ProtectedPaths(("!",))


def test_a_maintainers_file_allows_the_paths_that_it_names() -> None:
    allowed = AllowedPaths("paths-ignore:\n  - tests/fixtures/**\n  - '*.example'\n")

    assert allowed.cover("tests/fixtures/keys/a.pem")
    assert allowed.cover("conf/.env.example")
    assert not allowed.cover("tests/test_keys.py")
    assert not allowed.cover("Tests/Fixtures/a.pem")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[",
        "- tests/**",
        "paths-ignore: tests/**",
        "paths-ignore: [1, null]",
        "paths-ignore: ['!']",
        "!!python/object/apply:os.system [x]",
        "paths-ignore: ['**']" + " " * 70_000,
    ],
)
def test_a_file_that_cannot_be_understood_allows_nothing(text: str | None) -> None:
    assert not AllowedPaths(text).cover("tests/fixtures/a.pem")
