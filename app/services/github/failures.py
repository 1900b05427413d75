"""What git and gh print when they fail, turned into the errors that a caller can act on.

Their output is passed on shortened to its reason, and never with a credential in it.
"""

import re

from app.errors import TemporarilyFailed, WorkFailed
from app.process import Completed

_LONGEST_REASON = 300
_CREDENTIAL = re.compile(r"gh[pousr]_[A-Za-z0-9._-]{20,}|github_pat_\w+|(?<=://)[^/@\s]+(?=@)|(?<=Basic )[\w+/=]+")

_CERTIFICATE = re.compile(r"certificate|x509", re.IGNORECASE)
_REFUSED_ACCESS = re.compile(
    r"authentication failed|could not read (?:username|password)|terminal prompts disabled|returned error: 40[0134]\b"
    r"|repository .*not found|permission .*denied|access denied|does not appear to be a git repository|host key verif",
    re.IGNORECASE,
)
_TEMPORARY = re.compile(
    r"could(?: not|n't) (?:resolve|connect)|failed to connect|connection (?:refused|reset|timed out|closed)|timed? ?out"
    r"|early eof|unexpected(?:ly)? (?:disconnect|eof)|hung up|rpc failed|returned error: (?:5\d\d|429|408)\b"
    r"|too slow|network is unreachable|no route to host|temporary failure|tls (?:connection|handshake)|gnutls_|\.lock'"
    r"|cannot lock ref|unexpected eof|\bEOF\b|error connecting to|no such host|dial tcp|i/o timeout",
    re.IGNORECASE,
)
_REFUSED_TOKEN = re.compile(
    r"authentication failed|could not read (?:username|password)|terminal prompts disabled|returned error: 401\b"
    r"|bad credentials",
    re.IGNORECASE,
)
_STATUS = re.compile(r"\b(?:HTTP|code:?) (\d{3})\b")
_OVERLOADED = re.compile(r"rate limit|abuse|secondary|submitted too quickly", re.IGNORECASE)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_UNAUTHORIZED = 401


def scrubbed(text: str, *secrets: str | None) -> str:
    """The text without the secrets, and without anything that looks like one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return _CREDENTIAL.sub("***", text)


def git_failed(doing: str, done: Completed, *secrets: str | None, rotates: bool = False) -> WorkFailed:
    """The error for a git command that failed. `doing` completes "Could not …". `rotates`: see Credential."""
    text = scrubbed(done.error_text, *secrets)
    reason = reason_of(text)
    if done.timed_out:
        return TemporarilyFailed(f"Could not {doing}: git took longer than {done.duration_s:.0f} s. It may work later.")
    if _CERTIFICATE.search(text):
        return WorkFailed(f"Could not {doing}: {reason}. Set SSL_CERT_FILE to the certificates that this network uses.")
    if rotates and _REFUSED_TOKEN.search(text):
        return _stale_token(doing, reason)
    if _REFUSED_ACCESS.search(text):
        return WorkFailed(
            f"Could not {doing}: {reason}. Check REPO_URL or REPOSITORIES, and that GH_TOKEN may read and write it."
        )
    if _TEMPORARY.search(text):
        return TemporarilyFailed(f"Could not {doing}: {reason}. It may work later.")
    return WorkFailed(f"Could not {doing}: {reason}.")


def gh_failed(doing: str, done: Completed, *secrets: str | None, rotates: bool = False) -> WorkFailed:
    """The error for a gh command that failed. `doing` completes "Could not …". `rotates`: see Credential."""
    text = scrubbed(f"{done.error_text}\n{done.text}", *secrets)
    reason = reason_of(scrubbed(done.error_text or done.text, *secrets))
    status = int(match[1]) if (match := _STATUS.search(text)) else 0
    if done.timed_out:
        return TemporarilyFailed(f"Could not {doing}: gh took longer than {done.duration_s:.0f} s. It may work later.")
    if rotates and (status == _UNAUTHORIZED or _REFUSED_TOKEN.search(text)):
        return _stale_token(doing, reason)
    if status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS or _OVERLOADED.search(text):
        return TemporarilyFailed(f"Could not {doing}: {reason}. It may work later.")
    if not status and not _CERTIFICATE.search(text) and _TEMPORARY.search(text):
        return TemporarilyFailed(f"Could not {doing}: {reason}. It may work later.")
    if status == 422 or "GraphQL:" in text:  # noqa: PLR2004 - the forge understood and says what is wrong
        return WorkFailed(f"Could not {doing}: {reason}.")
    return WorkFailed(f"Could not {doing}: {reason}. Check GH_TOKEN and its permission to open pull requests.")


def _stale_token(doing: str, reason: str) -> TemporarilyFailed:
    return TemporarilyFailed(
        f"Could not {doing}: {reason}. The token may have expired: the one that GH_TOKEN_FILE then holds is tried next."
    )


def reason_of(text: str) -> str:
    """The line that says why, of what a command printed."""
    lines = [line.strip().rstrip(".") for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"(?:fatal|error|remote: \S|! \[|gh:|GraphQL:)", line)] or lines
    remote = [line for line in telling if line.startswith("remote:")]
    chosen = "; ".join(remote[-3:]) if remote else "; ".join(telling[-2:])
    return chosen[:_LONGEST_REASON] or "it gave no reason"
