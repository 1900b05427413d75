"""What the service costs, beside what the same would cost without it: `uv run python -m tests.bench`.

Each number stands beside its yardstick, taken in the same run on the same machine, in turns with it. The far sides of
the wires are the stand-ins of `tests.fakes`; the service, the CLI, git and gh are the real ones. Nothing here passes or
fails: an aim that is missed is shown.
"""
