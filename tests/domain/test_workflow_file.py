from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.workflow_file import LARGEST_FRONT_MATTER, WorkflowFile, parse
from app.errors import InvalidInput
from app.results import Commands


def fault_of(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    return caught.value


def front(yaml: str) -> Commands:
    return parse(f"---\n{yaml}\n---\n").front


def test_commands_and_body_are_told_apart() -> None:
    text = "---\nsetup: make deps\nlint: ruff check .\ntest: pytest -q\n---\n\n# How we work\n\n---\nBe kind.\n"
    assert parse(text) == WorkflowFile(
        front=Commands(setup=("make deps",), lint=("ruff check .",), test=("pytest -q",)),
        body="# How we work\n\n---\nBe kind.",
    )


def test_a_file_without_front_matter_is_all_body() -> None:
    assert parse("# How we work\n---\nlint: x\n---\n") == WorkflowFile(body="# How we work\n---\nlint: x\n---")


@pytest.mark.parametrize("text", ["", "---\n---\n", "---\n# nothing yet\n---\n", "---\nlint:\ntest: []\n---"])
def test_nothing_named_leaves_the_choice_to_the_toolchain(text: str) -> None:
    assert parse(text).front == Commands()


def test_lines_of_a_command_are_commands_without_blanks_and_comments() -> None:
    assert front("test: |\n  # quick ones first\n  pytest -q tests/unit\n\n  pytest -q").test == (
        "pytest -q tests/unit",
        "pytest -q",
    )


def test_a_list_is_one_command_an_item() -> None:
    assert front("lint:\n  - ruff check .\n  - mypy app").lint == ("ruff check .", "mypy app")


def test_keys_of_other_versions_are_left_alone() -> None:
    assert front("model: claude-opus\nverify: [1, {a: b}]\nlint: x") == Commands(lint=("x",))


def test_line_ends_and_marks_of_windows_are_read() -> None:
    assert parse("\ufeff---\r\nlint: x\r\n---\r\nbody\r\n") == WorkflowFile(front=Commands(lint=("x",)), body="body")


@pytest.mark.parametrize("value", ["5", "true", "{a: b}", "[1]", "[[a]]", "2024-01-01", "[a, null]"])
@pytest.mark.parametrize("key", ["setup", "lint", "test"])
def test_a_command_of_a_wrong_type_is_refused_by_name(key: str, value: str) -> None:
    fault = fault_of(f"---\n{key}: {value}\n---\n")
    assert fault.field == f"WORKFLOW.md front matter: {key}"
    assert fault.reason == "must be a command or a list of commands"


def test_control_characters_in_a_command_are_refused() -> None:
    assert fault_of('---\nlint: "ruff\\0 check"\n---\n').reason == "must not hold control characters"


def test_bad_yaml_is_refused_with_its_line() -> None:
    fault = fault_of("---\nsetup: x\nlint: [a\n---\n")
    assert fault.field == "WORKFLOW.md front matter"
    assert fault.reason.startswith("is not valid YAML (line 4): ")


@pytest.mark.parametrize("value", ["2024-99-99", "0b_", "9" * 5_000, "=", "\x07"])
def test_values_that_yaml_itself_stumbles_over_are_refused(value: str) -> None:
    assert fault_of(f"---\nlint: {value}\n---\n").reason.startswith("is not valid YAML")


@pytest.mark.parametrize("text", ["---\nlint: x\n", "---", "---\n"])
def test_front_matter_without_an_end_is_refused(text: str) -> None:
    assert fault_of(text).reason == "has no closing `---` line"


@pytest.mark.parametrize("yaml", ["just words", "- a\n- b", "5"])
def test_front_matter_that_is_no_mapping_is_refused(yaml: str) -> None:
    assert fault_of(f"---\n{yaml}\n---\n").reason == "must be `key: value` lines"


@pytest.mark.parametrize(
    "yaml", ["a: &x [y]\nlint: *x", "a: &x b", "lint: !!python/object/apply:os.system [id]", "lint: !!int ''"]
)
def test_anchors_aliases_and_tags_are_refused(yaml: str) -> None:
    assert "must be plain values" in fault_of(f"---\n{yaml}\n---\n").reason


def test_front_matter_beyond_its_size_is_refused() -> None:
    assert "must not be longer than 65,536" in fault_of(f"---\nlint: {'x' * LARGEST_FRONT_MATTER}\n---\n").reason


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_front_matter_nested_too_deeply_is_refused(opening: str) -> None:
    fault = fault_of(f"---\n{opening * 600}\n---\n")
    assert fault.field == "WORKFLOW.md front matter"


_texts = st.text() | st.text(alphabet="lint: -[]{}|>&*!'\"\n#?0x_b.:")


@given(_texts)
def test_any_front_matter_is_read_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        assert "body" in parse(f"---\n{text}\n---\nbody").body


@given(
    st.lists(
        st.from_regex(r"[a-z]+( [a-z./-]+){0,3}", fullmatch=True).filter(
            lambda c: c not in {"true", "false", "null", "yes", "no", "on", "off"}
        ),
        max_size=5,
    )
)
def test_commands_come_back_as_they_were_written(commands: list[str]) -> None:
    assert front("lint: |\n" + "\n".join(f"  {command}" for command in commands)).lint == tuple(
        c.strip() for c in commands
    )
