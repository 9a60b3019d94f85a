"""Alive and ready are two questions."""

from __future__ import annotations

import httpx
import pytest

from dysk.errors import ModelUnavailable
from service.app import create_app
from service.settings import Settings
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, on_a_port, problem, wait_until


def test_a_ready_service_says_so_for_each_part(http: Http) -> None:
    assert http.get("/health").json() == {"status": "ok"}
    assert http.get("/ready").json() == {
        "status": "ready",
        "parts": {"store": "ok", "encoder": "ok", "model": "ok"},
    }


def test_while_the_model_loads_the_service_is_alive_but_not_ready(
    http: Http, workspace: FakeWorkspace
) -> None:
    workspace.parts["model"] = "loading"
    response = http.get("/ready")
    refusal = problem(response, 503, "not_ready")
    assert refusal["parts"] == {"store": "ok", "encoder": "ok", "model": "loading"}
    assert refusal["detail"] == "model: loading"
    assert response.headers["retry-after"] == "2"
    assert http.get("/health").status_code == 200


def test_a_part_that_fails_is_named_with_its_reason(http: Http, workspace: FakeWorkspace) -> None:
    workspace.parts |= {"encoder": "no encoder was found: install one", "model": "loading"}
    response = http.get("/ready")
    assert "encoder: no encoder was found" in problem(response, 503, "not_ready")["detail"]
    assert "retry-after" not in response.headers


def test_starting_loads_the_models_in_the_background(
    workspace: FakeWorkspace, settings: Settings
) -> None:
    with on_a_port(create_app(workspace, settings)) as url:
        assert httpx.get(url + "/health").status_code == 200
        assert workspace.warmed.wait(10)


@pytest.mark.parametrize("failure", [ModelUnavailable("install one"), RuntimeError("boom")])
def test_a_service_whose_models_cannot_load_still_takes_facts(
    workspace: FakeWorkspace, settings: Settings, failure: Exception
) -> None:
    workspace.warm_failure = failure
    fact = {"subject": "Norland", "relation": "capital", "object": "Norburg"}
    with on_a_port(create_app(workspace, settings)) as url:
        wait_until(workspace.warmed.is_set)
        response = httpx.post(url + "/v1/graphs/default/facts", json={"facts": [fact]})
        assert response.status_code == 201
