"""What people are asked, and what is done with their answers."""

from app.models import Asked, Choice, Question
from app.services.claude_code.mock_client import Answer
from tests.services.pipeline.scripted_claude import ANSWERED, APPROVED, EDITED, PLANNED, REVISED
from tests.services.pipeline.world import World

COLOUR = Question(
    id="toolu_colour",
    asked=(Asked(question="Which colour?", choices=(Choice(label="Blue"), Choice(label="Black"))),),
)
PLAN = Question(id="toolu_plan", plan="1. Change theme.txt.")
BETTER_PLAN = Question(id="toolu_better", plan="1. Change theme.txt.\n2. Test it.")
BLUE = Answer(text="I added blue.", files={"theme.txt": "light\nblue\n"})


def asks(world: World) -> None:
    """Edits that need to know a colour, and have changed a file before they ask."""
    world.claude.plays |= {ANSWERED: BLUE, EDITED: Answer(files={"half.txt": "half\n"}, question=COLOUR)}


def plans(world: World) -> None:
    """A plan, a better one when people want it changed, and the work when they approve."""
    world.claude.plays |= {
        APPROVED: Answer(text="I followed the plan.", files={"theme.txt": "light\ndark\n"}),
        REVISED: Answer(question=BETTER_PLAN),
        PLANNED: Answer(question=PLAN),
    }
