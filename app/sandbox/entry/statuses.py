"""How the launcher ends where no program ran: the statuses of shells, and one more."""

CANNOT_ENTER = 125
CANNOT_START = 126
NOT_FOUND = 127
