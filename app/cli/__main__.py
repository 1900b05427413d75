"""`python -m app.cli` is `auto-code`."""

from app.cli import main

main()
