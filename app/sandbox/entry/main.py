"""`launcher ARGS…`: the program of the room that AUTO_CODE_ROOM tells, with these arguments."""

import json
import os
import sys
from typing import NoReturn

from . import inside, supervisor


def main() -> NoReturn:
    """Enter the room, run the program, and end as it ended."""
    told = json.loads(os.environ["AUTO_CODE_ROOM"])
    kept = {name: os.environ[name] for name in told["passes"] if name in os.environ}
    told["environment"] = {**kept, **told["environment"]}
    argv = [*told["program"], *sys.argv[1:]]
    if sys.platform != "linux":  # nothing here is known there; production refuses to start without it
        os.execvpe(argv[0], argv, inside.environment_of(told))  # noqa: S606
    supervisor.supervise(told, program=lambda: inside.become(told, argv))
