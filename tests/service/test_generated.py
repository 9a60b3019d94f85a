"""What is generated from the OpenAPI document works: requests that try it out, and a client."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.app import create_app
from service.settings import Settings
from tests.service.facts import fact
from tests.service.fakes import FakeWorkspace
from tests.service.harness import on_a_port

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 8


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("data")
    with (
        FakeWorkspace(folder) as workspace,
        on_a_port(create_app(workspace, Settings(data=folder))) as url,
    ):
        yield url


def test_every_operation_does_as_the_document_says(url: str) -> None:
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    wrong: list[str] = []
    tried: set[str] = set()
    # Not the keys: one that the test makes would keep itself out.
    for found in document.exclude(path_regex="^/v1/keys").get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        )
        @given(operation.as_strategy())
        def try_it(case: schemathesis.Case) -> None:
            tried.add(case.operation.label)
            case.call_and_validate(checks=CHECKS, timeout=20)

        try:
            try_it()
        except Exception as failure:
            wrong.append(f"{operation.label}: {failure}")
    assert len(tried) >= 30
    assert not wrong, "\n\n".join(wrong)


def test_a_generated_client_writes_and_asks(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = httpx.get(f"{url}/openapi.json").json()
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "config.yml").write_text("post_hooks: []\npackage_name_override: dysk_client\n")
    made = subprocess.run(
        [
            Path(sys.executable).parent / "openapi-python-client",
            *("generate", "--path", "openapi.json", "--config", "config.yml", "--meta", "none"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(str(tmp_path))

    def part(name: str) -> Any:
        return importlib.import_module(f"dysk_client.{name}")

    client = part("client").Client(base_url=url)
    models = part("models")
    with client:
        part("api.graphs.create_graph_v1_graphs_post").sync_detailed(
            client=client, body=models.NewGraph(name="generated")
        )
        written = part("api.facts.add_facts_v1_graphs_graph_facts_post").sync(
            "generated", client=client, body=models.AddFacts.from_dict({"facts": [fact()]})
        )
        assert written.items[0].fact.object_ == "Ada Quill"
        answer = part("api.ask.ask_v1_graphs_graph_ask_post").sync(
            "generated", client=client, body=models.Ask(question="Who leads Norland?")
        )
        assert answer.answer == "Ada Quill"
        refused = part("api.facts.get_fact_v1_graphs_graph_facts_fact_id_get").sync(
            "generated", "f99", client=client
        )
        assert refused is None or refused.code == "not_found"
