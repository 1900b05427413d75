#!/bin/bash
# Starts the Claude Code CLI with the variables named in AUTO_CODE_KEEP and no others: the SDK merges the service's whole
# environment into the CLI's, and the CLI hands its own to every command that the model runs.
for name in $(compgen -e); do
  case " $AUTO_CODE_KEEP " in *" $name "*) ;; *) [ "$name" = AUTO_CODE_KEEP ] || [ "$name" = AUTO_CODE_CLI ] || unset "$name" ;; esac
done
cli=$AUTO_CODE_CLI
unset AUTO_CODE_KEEP AUTO_CODE_CLI
# TERM, not KILL: on TERM the CLI ends the commands that it started, too.
if command -v setpriv >/dev/null; then exec setpriv --pdeathsig TERM -- "$cli" "$@"; fi
exec "$cli" "$@"
