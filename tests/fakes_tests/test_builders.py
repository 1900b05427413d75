"""Built webhook bodies keep the shape of recorded ones."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.builders import Shape, adf, adf_sample, issue_of, jira_body, jira_headers, signature

RECORDED = Path(__file__).parents[1] / "data" / "jira"
SHAPES = get_args(Shape)


def skeleton(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: skeleton(inner) for name, inner in value.items()}
    return [skeleton(inner) for inner in value] if isinstance(value, list) else type(value)


def test_every_recorded_shape_can_be_built() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == set(SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_changes_that_is_not_given(shape: Shape) -> None:
    assert jira_body(shape) == json.loads((RECORDED / f"{shape}.json").read_text())


@pytest.mark.parametrize("shape", SHAPES)
def test_given_facts_are_in_the_body_and_its_shape_is_kept(shape: Shape) -> None:
    body = jira_body(shape, key="OPS-7", summary="Another summary")
    issue = issue_of(body)
    assert (issue["key"], issue["fields"]["summary"]) == ("OPS-7", "Another summary")
    assert skeleton(body) == skeleton(jira_body(shape))


def test_issues_of_two_keys_have_two_ids() -> None:
    assert jira_body(key="A-1")["issue"]["id"] != jira_body(key="A-2")["issue"]["id"]


@pytest.mark.parametrize("description", [None, "Plain text", adf("One", "Two"), adf_sample()])
def test_a_description_is_what_was_given(description: Any) -> None:
    assert jira_body(description=description)["issue"]["fields"]["description"] == description


def test_the_change_log_says_what_was_changed() -> None:
    body = jira_body("system.issue_updated", changed=["summary", "labels"], summary="New", labels=["a", "b"])
    assert [(item["fieldId"], item["toString"]) for item in body["changelog"]["items"]] == [
        ("summary", "New"),
        ("labels", "a b"),
    ]


def test_a_delivery_is_signed_over_its_raw_body() -> None:
    # The published example of the scheme.
    body, secret = b"Hello, World!", "It's a Secret to Everybody"
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature(body, secret) == expected
    assert jira_headers(body, secret=secret, identifier="d-1")["x-hub-signature"] == expected
