"""The sample's ticket."""

from app.domain.naming import branch_of
from app.models import Ticket

TICKET = Ticket(
    key="WHISK-7",
    summary="Write amounts the way cooks read them",
    description=(
        "Half a batch of pancakes asks for `0.75 cups of milk`. Nobody has a cup that says 0.75.\n"
        "\n"
        "Write amounts with the fractions that measuring cups have: `¾ cups of milk`, `1½ cups of milk`. Quarters, "
        "thirds and halves are enough; round to the nearest. Whole numbers stay as they are."
    ),
)

BRANCH = branch_of(TICKET.key)
