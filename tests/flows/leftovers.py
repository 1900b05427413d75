"""What a service left behind on the machine."""

from pathlib import Path


def processes_in(directory: Path) -> dict[int, str]:
    """Processes that were started in or for this directory: by their command line, environment or place."""
    return {
        int(entry.name): _read(entry / "cmdline").replace("\0", " ").strip()
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _is_about(entry, str(directory))
    }


def _is_about(entry: Path, directory: str) -> bool:
    try:
        place = str((entry / "cwd").readlink())
    except OSError:
        place = ""
    return place.startswith(directory) or any(directory in _read(entry / name) for name in ("cmdline", "environ"))


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode(errors="replace")
    except OSError:
        return ""
