"""What the containers may do, as the kernel and the engine say."""

import time

import pytest

from tests.stack.containers import SECRETS, Stack

PROGRAMS = ("python", "uv", "node", "npm", "corepack", "git", "gh", "claude", "bwrap", "rg")
WRITABLE = {"/workspace", "/tmp"}
KERNELS_OWN = ("/proc", "/dev", "/sys")


@pytest.mark.parametrize("name", ["auto-code", "cloudflared"])
def test_no_port_is_published(stack: Stack, name: str) -> None:
    container = stack.inspect(name)
    assert not container["HostConfig"]["PortBindings"]
    assert not any(container["NetworkSettings"]["Ports"].values())


def test_the_service_has_no_rights_at_all(stack: Stack) -> None:
    service = stack.execute("auto-code", "pgrep", "--full", "--oldest", "bin/auto-code").split()[0]
    for pid in ("1", service):
        lines = stack.execute("auto-code", "cat", f"/proc/{pid}/status").splitlines()
        status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
        assert set(status["Uid"] + status["Gid"]) == {"10001"}
        assert {int(status[kind][0], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert (status["NoNewPrivs"], status["Seccomp"]) == (["1"], ["2"])


def test_nothing_can_be_written_but_state_and_temporary_files(stack: Stack) -> None:
    mounts = [line.split()[1:4] for line in stack.execute("auto-code", "cat", "/proc/1/mounts").splitlines()]
    writable = {place for place, _, options in mounts if "rw" in options.split(",")}
    assert {place for place in writable if not place.startswith(KERNELS_OWN)} == WRITABLE
    stack.execute("auto-code", "touch", *(f"{place}/tried" for place in (*WRITABLE, "/workspace/home")))
    for place in ("/etc", "/usr/local/bin", "/opt/venv", "/run/secrets"):
        assert "Read-only file system" in stack.execute("auto-code", "touch", f"{place}/tried", check=False)


def test_secrets_are_files_for_their_reader_alone_and_in_no_environment(stack: Stack) -> None:
    for name, user in (("auto-code", 10001), ("cloudflared", 65532)):
        listed = stack.execute(name, "find", "/run/secrets", "-type", "f", "-printf", "%m %U\n").splitlines()
        assert set(listed) == {f"400 {user}"}
        known = str(stack.inspect(name)["Config"])
        assert not [secret for secret, value in SECRETS.items() if value and value in known]


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_the_agent_works_with_runs_on_the_read_only_root(stack: Stack, program: str) -> None:
    assert any(character.isdigit() for character in stack.execute("auto-code", program, "--version"))


def test_orphans_are_reaped(stack: Stack) -> None:
    stack.execute("auto-code", "sh", "-c", "(sleep 0.2 &)")
    time.sleep(0.5)
    assert "Z" not in stack.execute("auto-code", "ps", "-A", "-o", "stat=")
