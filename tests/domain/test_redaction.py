"""Secrets do not stay in text, whoever wrote it, and nothing else is changed."""

import base64
import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.credential_shapes import SHAPES
from app.domain.redaction import SHORTEST, Redactor
from app.models import Request, RunMode, RunStatus, Ticket

TOKEN = "Zk3-9vQ_w8Lr2XyT7b"
SECRETS = {
    "GH_TOKEN": TOKEN,
    "WEBHOOK_SECRET": "correct horse/battery+staple?",
    "DATABASE_URL": "postgresql://auto:s3cr%40t-pa55@db.internal/auto",
}
REDACTOR = Redactor(SECRETS)

A36 = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6"
KEY_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
KEY = f"-----BEGIN PRIVATE KEY-----\n{KEY_LINE}\n{KEY_LINE}\nMzEf\n-----END PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
CREDENTIALS = {
    "GitHub token": (f"ghp_{A36}", f"ghs_{A36}", f"github_pat_{A36}_{A36}", f"ghs_12345_{JWT}"),
    "GitLab token": ("glpat-aB3dE6gH9jK2mN5pQ8sT",),
    "API key": (
        f"sk-ant-api03-{A36}-_{A36}",
        f"sk-ant-oat01-{A36}",
        f"sk-proj-{A36}",
        f"sk_live_{A36}",
        f"rk_live_{A36}",
    ),
    "Slack token": ("xoxb-123456789012-abcdefABCDEF",),
    "AWS key": ("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"),
    "Google key": ("AIzaSyA1bC3dE5fG7hI9jK1lM3nO5pQ7rS9tU1v",),
    "npm token": (f"npm_{A36}",),
    "PyPI token": (f"pypi-AgEIcHlwaS5vcmc{A36}",),
    "Hugging Face token": (f"hf_{A36[:34]}",),
    "Docker token": (f"dckr_pat_{A36}",),
    "Linear key": (f"lin_api_{A36}{A36}",),
    "Atlassian token": (f"ATATT3xFfGF0{A36}-_=1A2B3C4D",),
    "JSON web token": (JWT,),
    "private key": (KEY, KEY.replace(" PRIVATE", " RSA PRIVATE"), KEY.replace("\n", "\r\n")),
}
SHAPED = [(name, credential) for name, several in CREDENTIALS.items() for credential in several]
AROUND = ["{}", "a {} b", '"{}"', "'{}'", "TOKEN={}", "({})", "x:{}@", "<{}>", "\n{}\n", "?token={}&x=1", r"\n{}\n"]

ORDINARY = [
    "def redact(value: T) -> T:\n    return each_text(value, self._redact)  # task-based, risk-free, disk-only",
    "9b2cf535f27731c974343645a3985328a3985328 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "123e4567-e89b-12d3-a456-426614174000 TASKIA1234567890123456 AKIA AIza eyJ ghp_ sk-ant- npm_install",
    '"integrity": "sha512-9FLEN3wWe3vyG7Y8kO1bCZ0Yq7q1H1sT0JrPqXv7cFvS1oQf3vJ5hYlT2w6mZxE4AKIAb+Q==",',
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
    "//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbImEudHMiXX0=",
    "https://example.com:8080/path?x=1 git@github.com:acme/web.git ssh://git@host:22/x ftp://[::1]:80/",
    "postgres://postgres:postgres@localhost/db redis://user:password@host https://u:${PASSWORD}@h https://a:<token>@h",
    "Authorization: Bearer $TOKEN; the bearer responsible-for-everything-in-here; Basic authentication-and-more",
    "AWS_SECRET_ACCESS_KEY=${{ secrets.AWS_SECRET_ACCESS_KEY }}",
    'if line.startswith("-----BEGIN PRIVATE KEY-----") or line == "-----END PRIVATE KEY-----":\n    raise ValueError',
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----",
    "correct horse, battery staple; Zk3-9vQ",
]


# Shapes


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("name", "credential"), SHAPED)
def test_what_has_the_shape_of_a_credential_is_taken_out_wherever_it_stands(
    name: str, credential: str, around: str
) -> None:
    assert REDACTOR.redact(around.format(credential)) == around.format(f"[redacted: {name}]")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://ada:hunter2!x@host/x", "https://ada:[redacted: password]@host/x"),
        ("redis://:hunter2!x@host", "redis://:[redacted: password]@host"),
        (f"Authorization: Bearer {A36}", "Authorization: Bearer [redacted: credential]"),
        ("authorization: Basic YWRhOmh1bnRlcjJodW50ZXIy", "authorization: Basic [redacted: credential]"),
        (f"https://hooks.slack.com/services/T0/B0/{A36}", "https://hooks.slack.com/services/[redacted: Slack webhook]"),
        (f"AWS_SECRET_ACCESS_KEY={A36}a/+9", "AWS_SECRET_ACCESS_KEY=[redacted: AWS secret key]"),
        (f'"aws_secret_access_key": "{A36}a/+9"', '"aws_secret_access_key": "[redacted: AWS secret key]"'),
    ],
)
def test_of_what_names_a_credential_only_the_credential_is_taken_out(text: str, left: str) -> None:
    assert REDACTOR.redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"key": KEY}),
        "\n".join(f"+{line}" for line in KEY.splitlines()),
        "\n".join(f"{number:6}\t{line}" for number, line in enumerate(KEY.splitlines(), 1)),
        KEY.partition("\n-----END")[0],
        f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\n{KEY_LINE}\n",
    ],
)
def test_a_private_key_is_taken_out_however_it_was_printed(text: str) -> None:
    assert "[redacted: private key]" in REDACTOR.redact(text)
    assert not re.search(r"MII|MzEf|VJTU", REDACTOR.redact(text))


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert REDACTOR.redact(text) == text


@given(st.binary(max_size=300))
def test_encoded_files_stay_as_they_are(data: bytes) -> None:
    for text in (base64.b64encode(data).decode(), data.hex()):
        assert REDACTOR.redact(text) == text


# Known values


@pytest.mark.parametrize("name", SECRETS)
def test_a_known_value_is_named_and_taken_out_wherever_it_stands(name: str) -> None:
    value = SECRETS[name]
    assert REDACTOR.redact(f"x{value}y {value}") == f"x[redacted: {name}]y [redacted: {name}]"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "x", "xy", "x-access-token:"])
@pytest.mark.parametrize("after", ["", "z", "\n"])
@pytest.mark.parametrize("name", SECRETS)
def test_a_known_value_is_found_in_base64(name: str, before: str, after: str, encode: Any) -> None:
    encoded = encode(f"{before}{SECRETS[name]}{after}".encode()).decode()
    found = REDACTOR.redact(encoded)
    assert f"[redacted: {name}]" in found
    assert len(found.replace(f"[redacted: {name}]", "")) <= len(base64.b64encode(f"{before}{after}".encode())) + 4


def test_a_known_value_is_found_quoted_and_escaped() -> None:
    value = 'pa"ss\\wörd/ +x'
    redactor = Redactor({"JIRA_TOKEN": value})
    for text in (quote(value, safe=""), json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        assert redactor.redact(text) == "[redacted: JIRA_TOKEN]"


@pytest.mark.parametrize("password", ["s3cr%40t-pa55", "s3cr@t-pa55"])
def test_the_password_of_a_known_url_is_found_by_itself(password: str) -> None:
    assert REDACTOR.redact(f"password is {password}") == "password is [redacted: DATABASE_URL]"


def test_of_values_that_hold_one_another_the_longest_is_named() -> None:
    redactor = Redactor({"SHORT": "abcdefgh", "LONG": "abcdefghijkl"})
    assert redactor.redact("abcdefghijkl abcdefghi") == "[redacted: LONG] [redacted: SHORT]i"


@pytest.mark.parametrize("value", ["", "x", "x" * (SHORTEST - 1), "redacted", "GH_TOKEN"])
def test_a_value_that_is_part_of_ordinary_words_is_not_looked_for(value: str) -> None:
    text = f"{value} [redacted: GH_TOKEN]"
    assert Redactor({"GH_TOKEN": value}).redact(text) == text


# Values of every kind


def test_every_text_of_a_value_is_redacted_and_nothing_else_is_changed() -> None:
    value = {TOKEN: [1, None, True, 2.5, f"x {TOKEN}", ("a", {"b": TOKEN})], "status": RunStatus.IDLE}
    redacted = REDACTOR.redact(value)
    label = "[redacted: GH_TOKEN]"
    assert redacted == {label: [1, None, True, 2.5, f"x {label}", ("a", {"b": label})], "status": RunStatus.IDLE}
    assert redacted["status"] is RunStatus.IDLE


def test_a_model_stays_a_model() -> None:
    ticket = Ticket(key="PROJ-1", summary=TOKEN, description=f"Use {TOKEN}.")
    label = "[redacted: GH_TOKEN]"
    assert REDACTOR.redact(ticket) == Ticket(key="PROJ-1", summary=label, description=f"Use {label}.")
    request = Request(mode=RunMode.ASK, text="Why?")
    assert REDACTOR.redact(request) == request


secret = st.sampled_from([*SECRETS.values(), *(credential for _, credential in SHAPED)])
texts = st.lists(st.one_of(secret, st.text(max_size=20), st.sampled_from(AROUND)), max_size=5).map("".join)
jsons = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=10,
)


@given(texts)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = REDACTOR.redact(text)
    assert REDACTOR.redact(once) == once


@given(jsons, st.booleans(), st.sampled_from([None, 2]))
def test_json_stays_json(value: Any, ascii_only: bool, indent: int | None) -> None:
    written = REDACTOR.redact(json.dumps(value, ensure_ascii=ascii_only, indent=indent))
    assert type(json.loads(written)) is type(value)


@given(texts)
def test_no_known_value_is_left(text: str) -> None:
    redacted = REDACTOR.redact(text)
    assert not any(value in redacted for value in SECRETS.values())


@given(st.text(st.characters(exclude_characters="-_:/. ")))
def test_nothing_but_secrets_is_changed(text: str) -> None:
    assert Redactor({}).redact(text) == text


# Texts that are being written


@pytest.mark.parametrize("whole", [TOKEN, f"ghp_{A36}", f"sk-ant-api03-{A36}", JWT, f"postgres://ada:{TOKEN}@db"])
def test_a_secret_that_comes_piece_by_piece_is_never_shown(whole: str) -> None:
    text = f"Look: {whole} is it."
    for size in range(len(text) + 1):
        shown = REDACTOR.redact_unfinished(text[:size])
        assert not any(whole[at : at + 8] in shown.replace("postgres", "") for at in range(len(whole) - 8))
    assert REDACTOR.redact_unfinished(text).endswith("is it.")


def test_an_ordinary_text_is_shown_as_far_as_it_is_written() -> None:
    text = (
        "I read theme.py, light by default; ask-back tests (12) need a key: see https://example.org/a, größer ist gut."
    )
    for size in range(len(text) + 1):
        assert REDACTOR.redact_unfinished(text[:size]) == text[:size]


# Hostile texts


@pytest.mark.parametrize(
    "evil",
    [
        *sorted({shape.begins.partition("(")[0] or "://" for shape in SHAPES} - {""}),
        "eyJ-", "eyJaaaaaaaa.eyJ", "://a:", "://a:a:", "Bearer a.", "+", "\n", "\\n",
        f"{KEY_LINE}\n", "-----BEGIN A B C D PRIVATE KEY-----\na: b", "-----BEGIN PRIVATE KEY-----\n" + "A" * 16 + "+",
    ],
)  # fmt: skip
def test_no_text_takes_long(evil: str) -> None:
    text = f"-----BEGIN PRIVATE KEY-----\n{KEY_LINE}" + evil * (400_000 // len(evil))
    # What takes the square of this is ended by the test's limit.
    assert isinstance(REDACTOR.redact_unfinished(text), str)
