"""The programs that deployment-plan.md gives to people, so that they are tried as they stand there."""

import re
from pathlib import Path

_PLAN = Path(__file__).parents[2] / "deployment-plan.md"


def program(name: str, directory: Path) -> Path:
    """The plan's `/usr/local/sbin/<name>`, as an executable file in this directory."""
    block = re.search(rf"`/usr/local/sbin/{name}`[^`]*```bash\n(.*?)\n```", _PLAN.read_text(), re.DOTALL)
    assert block is not None, f"{_PLAN.name} has no program {name}."
    file = directory / name
    file.write_text(f"{block[1]}\n")
    file.chmod(0o755)
    return file
