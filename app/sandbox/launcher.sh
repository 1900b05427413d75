#!/bin/sh
# Enters the room of $AUTO_CODE_ROOM. The bare interpreter: no site packages, nothing of the caller's Python settings.
exec "$AUTO_CODE_PYTHON" -I -S -c 'import sys; sys.path.insert(0, sys.argv.pop(1)); from entry.main import main; main()' \
  "${0%/*}" "$@"
