"""The compose file: what it starts, and that no password is in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return services


def test_neo4j_5_and_dysk_have_health_checks_and_volumes(services: dict[str, Any]) -> None:
    assert set(services) == {"neo4j", "dysk"}
    assert services["neo4j"]["image"].startswith("neo4j:5.")
    for service in services.values():
        assert service["healthcheck"]["test"]
        assert service["volumes"]
    assert services["dysk"]["depends_on"]["neo4j"]["condition"] == "service_healthy"


def test_every_password_comes_from_the_environment(services: dict[str, Any]) -> None:
    passwords = {
        name: value
        for service in services.values()
        for name, value in service["environment"].items()
        if "PASSWORD" in name or "AUTH" in name
    }
    assert set(passwords) == {"NEO4J_AUTH", "NEO4J_PASSWORD"}
    for value in passwords.values():
        assert value.removeprefix("neo4j/").startswith("${NEO4J_PASSWORD:?")
    example = (ROOT / ".env.example").read_text()
    assert "\nNEO4J_PASSWORD=\n" in example


def test_dysk_is_published_to_this_machine_only(services: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in services["dysk"]["ports"])
    assert "ports" not in services["neo4j"]


def _compose() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    return not subprocess.run([docker, "compose", "version"], capture_output=True).returncode


@pytest.mark.skipif(not _compose(), reason="docker compose is not installed")
@pytest.mark.parametrize(("password", "accepted"), [("a long secret", True), ("", False)])
def test_docker_compose_accepts_it_with_a_password_only(password: str, accepted: bool) -> None:
    ran = subprocess.run(
        ["docker", "compose", "--env-file", "/dev/null", "config", "--quiet"],
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "NEO4J_PASSWORD": password},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode == 0) is accepted, ran.stderr
    if not accepted:
        assert "choose one in .env" in ran.stderr
