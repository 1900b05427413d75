"""`auto-code demo`, as somebody calls it who has just cloned the repository."""

import json
import re
import signal
import socket
import subprocess
from urllib.request import urlopen

from tests.cli.shell import Shell, read_until
from tests.fakes.messages_api import API_KEY, MessagesApi
from tests.fakes.scripts import Reply, conversation, edit_file, verdict
from tests.ports import free_port


def test_a_sample_ticket_becomes_a_pull_request_with_nothing_configured_and_nothing_left_behind(shell: Shell) -> None:
    done = shell.call("demo")

    assert (done.returncode, done.stderr) == (0, "")
    _assert_in_order(
        done.stdout,
        "WHISK-7: Write amounts the way cooks read them",
        "▸ workspace",
        "ticket/whisk-7 from main at",
        "▸ implement",
        "Write whisk/amounts.py",
        "HAS_ISSUES: true",
        "↻ author: fix review",
        "✓ Found issues; fixed by the author.",
        "whisk/amounts.py:3: math is imported but never used",
        "↻ author: fix lint 1",
        "tools/lint.py passes after 1 fix",
        "FAIL: test_a_little_is_still_something",
        "↻ author: fix tests 1",
        "▸ tests, again",
        "-m unittest passes after 1 fix",
        "✓ Opened pull request https://offline.invalid/local/whisk/pull/1",
        "+++ b/whisk/amounts.py",
        "| review | ✅ passed |",
        "| lint | ✅ passed |",
        "| tests | ✅ passed |",
        "What a real run would need",
    )
    for name in ("REPO_URL", "GH_TOKEN", "ANTHROPIC_API_KEY", "WEBHOOK_SECRET"):
        assert f"✗ {name}" in done.stdout
    assert "\x1b" not in done.stdout
    left = [list(place.iterdir()) for place in (shell.temporary, shell.home, shell.directory)]
    assert left == [[], [], []]


def test_the_operators_settings_do_not_reach_a_demo_that_is_kept_on_request(shell: Shell) -> None:
    done = shell.call(
        "demo",
        "--keep",
        MAX_CONCURRENT_RUNS="more than can be understood",
        NODE_ENV="production",
        DATABASE_URL="postgresql://127.0.0.1:9/theirs",
        REPO_URL="https://127.0.0.1:9/their/repository.git",
        DRY_RUN="true",
        PIPELINE_LINT="false",
        BASE_BRANCH="theirs",
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "Your settings cannot be understood." in done.stdout
    (kept,) = shell.temporary.iterdir()
    log = ["git", "-C", str(kept / "whisk"), "log", "--format=%s", "ticket/whisk-7"]
    assert subprocess.check_output(log, text=True).splitlines() == [
        "WHISK-7: Write amounts the way cooks read them",
        "Scale recipes to the guests who come",
    ]


def test_a_demo_that_serves_shows_its_run_until_it_is_told_to_end(shell: Shell) -> None:
    port = free_port()
    with shell.started("demo", "--serve", CLAUDE_CODE_API_PORT=str(port)) as process:
        read_until(process, "/openapi.json")

        with urlopen(f"http://127.0.0.1:{port}/api/v1/runs") as answer:
            (run,) = json.load(answer)["runs"]
        assert (run["ticket"], run["status"]) == ("WHISK-7", "pr_opened")
        with urlopen(f"http://127.0.0.1:{port}/health") as answer:
            assert json.load(answer) == {"status": "ok"}

        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert list(shell.temporary.iterdir()) == []


def test_an_interrupted_demo_stops_its_run_before_the_service(shell: Shell) -> None:
    with shell.started("demo", "--serve", CLAUDE_CODE_API_PORT=str(free_port())) as process:
        read_until(process, "▸ workspace")
        process.send_signal(signal.SIGINT)
        said = "".join(read_until(process, "What a real run would need"))

        assert process.wait(5) == 1
    assert "– Stopped by you. The work so far is kept." in said
    assert "Traceback" not in said
    assert list(shell.temporary.iterdir()) == []


def test_a_port_that_is_taken_is_named(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shell.call("demo", "--serve", CLAUDE_CODE_API_PORT=str(port))

    assert done.returncode == 2
    assert f"Port {port} cannot be used" in done.stderr
    assert "CLAUDE_CODE_API_PORT" in done.stderr


def test_the_real_claude_does_the_ticket_where_there_is_a_credential(shell: Shell) -> None:
    script = conversation(
        {
            "Implement ticket WHISK-7": [
                Reply("I look no further.", tools=[edit_file("README.md", "# whisk", "# Whisk")]),
                Reply("The title is a title now."),
            ],
            "Review the change": [verdict()],
        }
    )
    with MessagesApi(script) as model:
        done = shell.call("demo", "--live", ANTHROPIC_API_KEY=API_KEY, ANTHROPIC_BASE_URL=model.url)

    assert done.returncode == 0, done.stdout + done.stderr
    _assert_in_order(done.stdout, "Edit README.md", "The title is a title now.", "Opened pull request", "+# Whisk")
    assert API_KEY not in done.stdout


def test_the_real_claude_needs_a_credential(shell: Shell) -> None:
    done = shell.call("demo", "--live")

    assert done.returncode == 2
    assert "ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN" in done.stderr


def test_a_machine_without_git_is_told_so(shell: Shell) -> None:
    done = shell.call("demo", PATH="/nowhere")

    assert done.returncode == 1
    assert "install git" in done.stderr
    assert "Traceback" not in done.stderr


def _assert_in_order(text: str, *parts: str) -> None:
    pattern = ".*?".join(re.escape(part) for part in parts)
    missing = [part for part in parts if part not in text]
    assert re.search(pattern, text, re.DOTALL), f"missing {missing} or out of order in:\n{text}"
