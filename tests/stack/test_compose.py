"""What holds of the stack's files without an engine: each service is locked in, and each setting has its way in."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config import Settings

COMPOSE = Path(__file__).parents[2] / "compose"
FILES = ("auto-code.yml", "postgres.yml")
WITH_SQLITE, WITH_POSTGRES = FILES[:1], FILES

LOOSENING = {"ports", "privileged", "network_mode", "pid", "ipc", "devices", "cap_add", "userns_mode", "group_add"}
OF_DEVELOPMENT = {"repo_dir", "offline", "claude_cli"}

Json = dict[str, Any]


@cache
def parsed(file: str) -> Json:
    document: Json = yaml.safe_load((COMPOSE / file).read_text())
    return document


def section(files: tuple[str, ...], name: str) -> Json:
    return {key: value for file in files for key, value in (parsed(file).get(name) or {}).items()}


def environment(files: tuple[str, ...]) -> Json:
    return {
        name: value
        for file in files
        for name, value in parsed(file)["services"]["auto-code"].get("environment", {}).items()
    }


WHOLE = {
    name: service
    for file in FILES
    for name, service in parsed(file)["services"].items()
    if "image" in service  # an overlay only adds to the others
}
every_service = pytest.mark.parametrize("service", WHOLE.values(), ids=WHOLE)


@every_service
def test_a_service_has_no_way_round_its_walls(service: Json) -> None:
    assert not LOOSENING & service.keys()
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0


@every_service
def test_a_service_keeps_its_files_in_named_volumes_and_in_memory(service: Json) -> None:
    mounted = {volume.split(":")[0] for volume in service.get("volumes", [])}
    assert mounted <= section(FILES, "volumes").keys()
    assert all("nosuid,nodev" in place and "size=" in place for place in service.get("tmpfs", []))


@every_service
def test_a_service_is_bounded_in_all_that_a_host_can_run_out_of(service: Json) -> None:
    assert {"cpus", "mem_limit", "pids_limit"} <= service.keys()
    assert service["logging"]["driver"] == "local"
    assert {"max-size", "max-file"} == service["logging"]["options"].keys()
    assert service["restart"] == "unless-stopped"


@every_service
def test_a_service_stands_on_a_network_without_a_way_out(service: Json) -> None:
    networks = section(FILES, "networks")
    assert any((networks[name] or {}).get("internal") for name in service["networks"])


@every_service
def test_an_image_has_a_version_and_may_be_another_by_digest(service: Json) -> None:
    variable, _, default = service["image"].strip("${}").partition(":-")
    assert variable.endswith("_IMAGE")
    assert default.rpartition(":")[2][0].isdigit()


@every_service
def test_the_health_of_a_service_is_asked_for(service: Json) -> None:
    of_the_image = "build" in service and "\nHEALTHCHECK " in (COMPOSE.parent / "Dockerfile").read_text()
    assert of_the_image or service["healthcheck"]["test"][0] == "CMD"


@every_service
def test_secrets_come_as_files_only(service: Json) -> None:
    declared = section(FILES, "secrets")
    assert all(declared[name]["file"].endswith(f"/{name}") for name in service["secrets"])
    fields = (name.removesuffix("_FILE") for name in service.get("environment", {}) if name.endswith("_FILE"))
    assert not {field for field in fields if field in service["environment"]}


def test_each_setting_has_its_way_into_the_container() -> None:
    given = environment(WITH_POSTGRES)
    for name, field in Settings.model_fields.items():
        variable = f"{name.upper()}_FILE" if "SecretStr" in str(field.annotation) else name.upper()
        assert (variable in given) is (name not in OF_DEVELOPMENT), variable


@pytest.mark.parametrize("files", [WITH_SQLITE, WITH_POSTGRES], ids=["sqlite", "postgres"])
def test_each_secret_that_the_service_reads_is_mounted(files: tuple[str, ...]) -> None:
    read = {value for name, value in environment(files).items() if name.endswith("_FILE")}
    mounted = [name for file in files for name in parsed(file)["services"]["auto-code"].get("secrets", [])]
    assert read == {f"/run/secrets/{name}" for name in mounted}


def test_the_firewall_can_tell_the_networks_apart() -> None:
    networks = section(FILES, "networks").values()
    bridges = [network["driver_opts"]["com.docker.network.bridge.name"] for network in networks]
    assert all(bridge.startswith("ac-") and len(bridge) <= 15 for bridge in bridges), "Linux allows 15 characters."
    assert len(set(bridges)) == len(bridges)
