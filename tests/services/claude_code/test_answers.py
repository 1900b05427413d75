"""From what people said to what the call that asked them returns."""

from typing import Any

import pytest
from claude_agent_sdk import PermissionResultAllow, PermissionResultDeny

from app.models import Answer, Asked, Choice, Question
from app.services.claude_code.base import Prompt, Reply
from app.services.claude_code.questions import question_of, result_of

GIVEN = {
    "questions": [
        {
            "question": "Which?",
            "header": "Colour",
            "multiSelect": True,
            "options": [{"label": "Red", "description": "Warm."}, {"label": "Blue"}],
        }
    ]
}
PLAN = {"plan": "# Plan\n", "planFilePath": "/state/plans/a.md"}


def result(
    tool: str, given: dict[str, Any], *, news: str = "", **said: Any
) -> PermissionResultAllow | PermissionResultDeny:
    question = question_of("q1", tool, given)
    answer, prompt = Answer(by="Ada", **said), Prompt(id="p1", text="They said it.")
    return result_of(Reply(question=question, answer=answer, prompt=prompt, news=news), given)


def test_people_see_the_questions_with_their_choices() -> None:
    choices = (Choice(label="Red", description="Warm."), Choice(label="Blue"))
    one = Asked(question="Which?", header="Colour", choices=choices, several=True)
    assert question_of("q1", "AskUserQuestion", GIVEN) == Question(id="q1", asked=(one,))


def test_people_see_the_plan() -> None:
    assert question_of("q2", "ExitPlanMode", PLAN) == Question(id="q2", plan="# Plan\n")


def test_choices_are_the_calls_answers_and_words_beside_them_a_note() -> None:
    chosen = result("AskUserQuestion", GIVEN, answers={"Which?": "Red, Blue"})
    assert chosen == PermissionResultAllow(
        updated_input={**GIVEN, "answers": {"Which?": "Red, Blue"}, "annotations": {}}
    )
    noted = result("AskUserQuestion", GIVEN, answers={"Which?": "Red"}, text="Dark.")
    assert isinstance(noted, PermissionResultAllow)
    assert noted.updated_input is not None
    assert noted.updated_input["annotations"] == {"Which?": {"notes": "Dark."}}


def test_words_instead_of_a_choice_are_told_as_such() -> None:
    assert result("AskUserQuestion", GIVEN, text="Green!") == PermissionResultDeny(
        message="They did not choose; they wrote: Green!"
    )


def test_an_approved_plan_stands_as_it_is_with_what_was_added() -> None:
    assert result("ExitPlanMode", PLAN, approved=True) == PermissionResultAllow(updated_input=PLAN)
    added = result("ExitPlanMode", PLAN, approved=True, text="Mind the edges.")
    assert isinstance(added, PermissionResultAllow)
    assert added.updated_input is not None
    assert added.updated_input["plan"].endswith("Added at the approval: Mind the edges.")


def test_a_plan_that_is_not_approved_is_to_be_revised() -> None:
    refused = result("ExitPlanMode", PLAN, text="Smaller, please.")
    assert isinstance(refused, PermissionResultDeny)
    assert "Smaller, please." in refused.message
    assert not refused.interrupt


@pytest.mark.parametrize(
    ("tool", "given", "said"),
    [
        ("AskUserQuestion", GIVEN, {"answers": {"Which?": "Red"}}),
        ("AskUserQuestion", GIVEN, {"text": "Green!"}),
        ("ExitPlanMode", PLAN, {"approved": True}),
        ("ExitPlanMode", PLAN, {"approved": True, "text": "Mind the edges."}),
        ("ExitPlanMode", PLAN, {"text": "Smaller, please."}),
    ],
)
def test_every_answer_takes_along_what_people_did_meanwhile(
    tool: str, given: dict[str, Any], said: dict[str, Any]
) -> None:
    told = str(result(tool, given, news="People pushed to this branch.", **said))
    assert told.count("People pushed to this branch.") == 1
    assert said.get("text", "") in told
