import pytest

from app.errors import InvalidInput
from app.services.checks.commands import argument_lists, shown


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("pytest -q tests", ("pytest", "-q", "tests")),
        ("pytest -k 'a or (b and c)'", ("pytest", "-k", "a or (b and c)")),
        ('grep -r "a | b; c > d && e" src', ("grep", "-r", "a | b; c > d && e", "src")),
        ("grep '$HOME `id`' f", ("grep", "$HOME `id`", "f")),
        ('grep "ends here$" f', ("grep", "ends here$", "f")),
        (r"echo \| a\&b", ("echo", "|", "a&b")),
        ("eslint --env=browser A=1 src/*.js", ("eslint", "--env=browser", "A=1", "src/*.js")),
        ('tool "it\'s" \'so "so"\'', ("tool", "it's", 'so "so"')),
        ("env CI=1 make test", ("env", "CI=1", "make", "test")),
    ],
)
def test_a_command_is_split_as_a_shell_would(command: str, words: tuple[str, ...]) -> None:
    assert argument_lists([command]) == (words,)


@pytest.mark.parametrize(
    ("command", "operator"),
    [
        ("a | b", "|"), ("a|b", "|"), ("a && b", "&&"), ("a||b", "||"), ("a; b", ";"), ("a & ", "&"), ("a > f", ">"),
        ("a 2>&1", ">&"), ("a < f", "<"), ("a <<EOF", "<<"), ("a $(id)", "$("), ("(a)", "("), ("a `id`", "`"),
        ('a "$(id)"', "$("), ('a "`id`"', "`"), ("a $HOME", "$HOME"), ("a ${B}", "${"),
        ("CI=1 a", "CI="), ("a '|' | b", "|"),
    ],
)  # fmt: skip
def test_a_command_that_needs_a_shell_is_refused_with_what_to_do(command: str, operator: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        argument_lists(["true", command])
    assert caught.value.message == f"{command}: uses a shell operator ({operator}); name a script instead"


@pytest.mark.parametrize("command", ["a 'b", 'a "b', "a \\"])
def test_a_command_with_an_open_quote_is_refused(command: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be split into words"):
        argument_lists([command])


@pytest.mark.parametrize("command", ["", "  "])
def test_a_command_without_a_program_is_refused(command: str) -> None:
    with pytest.raises(InvalidInput, match="names no program"):
        argument_lists([command])


def test_commands_are_shown_as_they_would_be_typed() -> None:
    assert shown([("pytest", "-k", "a b"), ("mypy",)]) == "pytest -k 'a b' && mypy"
