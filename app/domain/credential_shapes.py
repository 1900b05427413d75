"""What credentials look like: the forms that their makers gave them, so that they are found in any text.

Each is so precise that code, hashes, identifiers and encoded files are not taken for one.
"""

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Shape:
    """A credential by its form: how it begins, and how it goes on. Of the beginning, the group `kept` is no secret.

    It begins with letters of its own, by which `re` skips through a text forty times faster than by a choice or a
    boundary; a boundary comes after them. Repetitions that something must follow give nothing back (`++`) or are
    bounded, so that no text makes the search slow.
    """

    name: str
    begins: str
    goes_on: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds it."""
        return re.compile(self.begins + self.goes_on, re.ASCII)

    @cached_property
    def label(self) -> str:
        """What is put in its place, for `pattern.sub`."""
        kept = r"\g<kept>" if "(?P<kept>" in self.begins else ""
        return f"{kept}[redacted: {self.name}]"


def _alone(begins: str) -> str:
    """Where nothing like it stands before, but for an escaped line end."""
    return rf"{begins}(?:(?<![\w+/-]{begins})|(?<=\\[nrt]{begins}))"


_AWS_NAMED = r"\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?)"
_AWS_GOES_ON = r"[A-Za-z0-9+/]{40}(?![\w+/])"

# Between the lines of a key: also escaped, of a diff, quoted, or numbered.
_LINE_END = r"(?:\\[nr]|[\s+|>]|\d{1,6}[\t→]){0,40}+"
_KEY_GOES_ON = (
    r"(?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    rf"(?:{_LINE_END}[A-Za-z-]{{1,40}}+: [^\n\\\"]{{0,200}}+){{0,4}}+"
    rf"(?:{_LINE_END}[A-Za-z0-9+/]{{16,}}+={{0,2}})++"
    rf"(?:{_LINE_END}[A-Za-z0-9+/=]{{0,100}}+{_LINE_END}-----END [A-Z0-9 ]{{0,80}}-----"
    rf"|{_LINE_END}[A-Za-z0-9+/=]{{0,100}}+\Z)?"
)

# A placeholder, or a name said twice as in development, hides nothing.
_PLACEHOLDER = (
    r"(?P=user)@|[${*\[<.]|%[s(d]|x+@|(?:pass|passw(?:or)?d|pwd|secret|token|test|changeme|example)@"
    r"|(?:PASS|PASSW(?:OR)?D|PWD|SECRET|TOKEN)@"
)

SHAPES = (
    Shape("GitHub token", r"g(?:h[pousr]|ithub_pat)_", r"\w{20,}(?:\.[\w-]{16,})*"),
    Shape("GitLab token", r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat)-", r"[\w-]{20,}(?:\.[\w-]{2,})*"),
    Shape("API key", r"sk-(?:ant|lf|proj|svcacct|admin)-", r"[\w-]{16,}"),
    Shape("API key", r"sk_live_", r"[A-Za-z0-9]{16,}"),
    Shape("API key", r"rk_live_", r"[A-Za-z0-9]{16,}"),
    Shape("Slack token", r"x(?:ox[a-z]|app)-", r"[A-Za-z0-9-]{10,}"),
    Shape("Slack webhook", r"(?P<kept>hooks\.slack\.com/(?:services|workflows)/)", r"[\w/]{20,}"),
    Shape("npm token", r"npm_(?<!\\npm_)", r"[A-Za-z0-9]{36}"),
    Shape("PyPI token", r"pypi-A", r"[\w-]{40,}"),
    Shape("Docker token", r"dckr_(?:pat|oat)_", r"[\w-]{20,}"),
    Shape("Linear key", r"lin_(?:api|oauth)_", r"[A-Za-z0-9]{32,}"),
    Shape("Atlassian token", r"AT[AC]TT3", r"[\w=-]{20,}"),
    Shape("private key", r"-----BEGIN ", _KEY_GOES_ON),
    Shape(
        "password",
        r"(?P<kept>://(?P<user>[^\s/?#:@\"'<>`\\]{0,200}+):)",
        rf"(?!{_PLACEHOLDER})[^\s/?#@\"'<>`\\]{{3,200}}+(?=@)",
    ),
    # Those with a boundary, once what may stand beside them is gone.
    Shape("AWS key", _alone("A[KS]IA"), r"[A-Z0-9]{16}(?![\w+/])"),
    Shape("AWS secret key", rf"(?P<kept>ECRET_ACCESS_KEY{_AWS_NAMED}", _AWS_GOES_ON),
    Shape("AWS secret key", rf"(?P<kept>ecret_?[Aa]ccess_?[Kk]ey{_AWS_NAMED}", _AWS_GOES_ON),
    Shape("Google key", _alone("AIza"), r"[\w-]{35}(?![\w+/-])"),
    Shape("Hugging Face token", _alone("hf_"), r"[A-Za-z0-9]{30,}"),
    Shape("JSON web token", _alone("eyJ"), r"[\w-]{8,}+\.eyJ[\w-]{8,}+\.[\w-]*"),
    Shape("credential", r"(?P<kept>earer (?<=[Bb]earer ))", r"(?=[A-Za-z._~+/-]{0,200}\d)[\w.~+/-]{20,}=*"),
    Shape("credential", r"(?P<kept>asic (?<=[Bb]asic ))", r"(?=[A-Za-z+/]{0,200}[0-9=])[A-Za-z0-9+/]{16,}={0,2}"),
)

BEGUN = re.compile(
    "(?:" + "|".join(re.sub(r"\(\?P<\w+>", "(?:", shape.begins) for shape in SHAPES) + r")\S*\Z", re.ASCII
)
"""Finds the beginning of one at the end of a text."""
