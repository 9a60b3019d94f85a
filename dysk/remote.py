"""``Dysk.connect``: a graph of a running service, with the methods of one in your own process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

from dysk.answer import Answer, Evidence, Grounding, Mode, Usage
from dysk.errors import ServiceUnreachable
from dysk.forgetting import Forgotten
from dysk.remote_errors import error_of, unreachable
from dysk.remote_files import EXPORTS, events_after, send_lines, stream_lines
from dysk.remote_records import commit_of, fact_of, receipt_of
from graph import Cardinality, Commit, Compaction, Fact, OnConflict, Receipt, Status
from graph.interchange import ExportFormat, ImportFormat, ImportReport

if TYPE_CHECKING:
    import networkx as nx

TIMEOUT = httpx.Timeout(30.0, read=600.0)
"""An ask may wait long for its turn; a connection may not."""
_PAGE = 1000
_RECONNECT_SECONDS = 1.0


class RemoteDysk:
    """One graph of a service. Thread-safe. Methods mean and raise what those of Dysk do; besides,
    each raises ServiceUnreachable where no service answers.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        graph: str = "default",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """``api_key`` is what `dysk keys create` printed; none where the service has no keys."""
        self.name = graph
        self.url = url.rstrip("/")
        self._path = f"/v1/graphs/{quote(graph, safe='')}"
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        try:
            self._client = httpx.Client(
                base_url=self.url, headers=headers, timeout=TIMEOUT, transport=transport
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise ServiceUnreachable(
                f"{url!r} is no address of a service ({error}); write it as http://HOST:PORT"
            ) from None

    def create(self) -> None:
        """Make the graph, unless it is there."""
        reply = self._send("GET", self._path)
        if reply.status_code == 404:
            self._call("POST", "/v1/graphs", json={"name": self.name})
        elif reply.is_error:
            raise error_of(reply)

    # -- writing --------------------------------------------------------------------------------

    def add(
        self,
        subject: str,
        relation: str,
        object: str,
        *,
        valid_from: str | None = None,
        valid_to: str | None = None,
        source: str | None = None,
        external_id: str | None = None,
        attributes: Mapping[str, object] | None = None,
        id: str | None = None,
        aliases: Sequence[str] = (),
        object_aliases: Sequence[str] = (),
        on_conflict: OnConflict | None = None,
        dry_run: bool = False,
    ) -> Receipt:
        """State a fact; ``receipt.items[0].fact`` is what is stored."""
        fact = {
            "subject": subject,
            "relation": relation,
            "object": object,
            "valid_from": valid_from,
            "valid_to": valid_to,
            "source": source,
            "external_id": external_id,
            "attributes": dict(attributes or {}),
            "id": id,
            "aliases": list(aliases),
            "object_aliases": list(object_aliases),
        }
        body = {"facts": [fact], "on_conflict": on_conflict, "dry_run": dry_run}
        return self._change("POST", "/facts", json=body)

    def end(self, fact_id: str, at: str, *, expect_revision: int | None = None) -> Receipt:
        """The fact stopped being true at ``at``."""
        headers = _if_match(expect_revision)
        return self._change("POST", f"{_fact(fact_id)}/end", json={"at": at}, headers=headers)

    def correct(
        self, fact_id: str, *, expect_revision: int | None = None, **changes: object
    ) -> Receipt:
        """The fact was recorded wrongly: give the right fields."""
        return self._change(
            "PATCH", _fact(fact_id), json=changes, headers=_if_match(expect_revision)
        )

    def retract(self, fact_id: str, *, expect_revision: int | None = None) -> Receipt:
        """The fact was never true."""
        return self._change(
            "DELETE",
            _fact(fact_id),
            params={"mode": "retract"},
            headers=_if_match(expect_revision),
        )

    def erase(self, fact_id: str) -> Receipt:
        """Remove every byte of the fact."""
        return self._change("DELETE", _fact(fact_id), params={"mode": "erase"})

    def forget(self, *, source: str | None = None, entity: str | None = None) -> Forgotten:
        """Erase every fact that has, or ever had, this source or this entity."""
        named = {"source": source, "entity": entity}
        body = {name: value for name, value in named.items() if value is not None}
        record = self._read("POST", "/erasures", json=body)
        return Forgotten(
            record["revision"],
            tuple(record["erased"]),
            tuple(record["remaining"]),
            record["bytes_remain"],
        )

    def set_relation(
        self,
        name: str,
        *,
        cardinality: Cardinality = "many",
        template: str | None = None,
        inverse: str | None = None,
    ) -> Receipt:
        """Declare how a relation behaves and reads."""
        body = {"cardinality": cardinality, "template": template, "inverse": inverse}
        record = self._read("PUT", f"/relations/{quote(name, safe='')}", json=body)
        return receipt_of({**record, "items": [], "dry_run": False, "replayed": False})

    def merge(self, source: str, target: str) -> Receipt:
        """Two names are one entity."""
        return self._change("POST", "/merges", json={"source": source, "target": target})

    def compact(self, before: int) -> Compaction:
        """Forget what only revisions before ``before`` need."""
        return Compaction(**self._read("POST", "/compactions", json={"before": before}))

    # -- looking --------------------------------------------------------------------------------

    def get(self, fact_id: str) -> Fact:
        """The current version. Raises NotFound."""
        return fact_of(self._read("GET", _fact(fact_id)))

    def facts(
        self,
        *,
        subject: str | None = None,
        relation: str | None = None,
        object: str | None = None,
        source: str | None = None,
        status: Status | None = None,
        as_of: str | None = None,
        known_at: str | None = None,
        at_revision: int | None = None,
        limit: int | None = None,
    ) -> list[Fact]:
        """Facts that match every filter, in order of their first recording."""
        filters = {
            "subject": subject,
            "relation": relation,
            "object": object,
            "source": source,
            "status": status,
            "as_of": as_of,
            "known_at": known_at,
            "at_revision": at_revision,
        }
        query = {name: value for name, value in filters.items() if value is not None}
        found: list[Fact] = []
        cursor: dict[str, str] = {}
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = self._read("GET", "/facts", params={**query, **cursor, "limit": size})
            found += map(fact_of, page["facts"])
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        return found

    def history(self, fact_id: str) -> list[Fact]:
        """Every version of a fact, oldest first."""
        versions = self._read("GET", f"{_fact(fact_id)}/history")["versions"]
        return [fact_of(version) for version in versions]

    def timeline(self, entity: str) -> list[Fact]:
        """Facts about an entity, by name or alias, in order of their start."""
        reply = self._send("GET", f"{self._path}/entities/{quote(entity, safe='')}/timeline")
        if reply.status_code == 404 and self._read("GET", ""):  # the graph is there
            return []
        return [fact_of(fact) for fact in _checked(reply).json()["facts"]]

    def changes(self, since: int = 0, limit: int = 1000) -> list[Commit]:
        """The change feed after a revision."""
        page = self._read("GET", "/changes", params={"since": since, "limit": limit})
        return [commit_of(commit) for commit in page["commits"]]

    def follow(self, since: int = 0) -> Iterator[Commit]:
        """Every commit after a revision, for ever; connects again where the service goes away."""
        connected_before = False
        while True:
            try:
                with closing(events_after(self._client, f"{self._path}/changes", since)) as events:
                    for commit in events:
                        connected_before = True
                        since = commit.revision
                        yield commit
            except httpx.TransportError as error:
                if not connected_before:
                    raise unreachable(self.url, error) from None
            time.sleep(_RECONNECT_SECONDS)

    def to_networkx(self, as_of: str | None = None) -> nx.MultiDiGraph:
        """The graph as networkx sees it."""
        from graph import MemoryStore
        from graph.interchange import load_commands, read
        from graph.interval import parse_date
        from graph.view import to_networkx

        lines = (f"{line}\n".encode() for line in self.export_lines())
        with MemoryStore() as store:
            load_commands(store, read("jsonl", lines))
            with store.snapshot() as snapshot:
                return to_networkx(snapshot, None if as_of is None else parse_date(as_of))

    def import_lines(
        self,
        lines: Iterable[bytes],
        *,
        format: ImportFormat = "jsonl",
        extra_attributes: bool = False,
        columns: Mapping[str, str] | None = None,
        language: str = "en",
        progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        """Add the facts of a file's lines; bad lines are reported and the rest goes in.

        ``progress`` hears of the lines sent.
        """
        params = {
            "format": format,
            "unknown_fields": "keep" if extra_attributes else "reject",
            "language": language,
        }
        if columns:
            params["columns"] = ",".join(f"{name}={field}" for name, field in columns.items())
        with self._streaming():
            return send_lines(
                self._client, f"{self._path}/imports", lines, format, params, progress
            )

    def export_lines(
        self, *, format: ExportFormat = "jsonl", as_of: str | None = None
    ) -> Iterator[str]:
        """The graph in lines without their ends."""
        params = {"format": EXPORTS[format]} | ({} if as_of is None else {"as_of": as_of})
        with self._streaming():
            yield from stream_lines(self._client, f"{self._path}/export", params=params)

    # -- asking ---------------------------------------------------------------------------------

    def search(self, text: str, *, as_of: str | None = None, limit: int = 8) -> list[Evidence]:
        """Facts ranked against a text, without the language model."""
        body = {"text": text, "as_of": as_of, "limit": limit}
        return [Evidence(**each) for each in self._read("POST", "/search", json=body)["results"]]

    def ask(
        self,
        question: str,
        *,
        as_of: str | None = None,
        known_at: str | None = None,
        min_revision: int | None = None,
        mode: Mode = "attention",
        candidates: int = 32,
        top_k: int = 4,
        grounding: Grounding = "check",
        max_tokens: int = 48,
    ) -> Answer:
        """Answer a question from the graph; see dysk.engine.Engine.ask."""
        record = self._read(
            "POST",
            "/ask",
            json={
                "question": question,
                "as_of": as_of,
                "known_at": known_at,
                "min_revision": min_revision,
                "mode": mode,
                "candidates": candidates,
                "top_k": top_k,
                "grounding": grounding,
                "max_tokens": max_tokens,
            },
        )
        evidence = tuple(Evidence(**each) for each in record.pop("evidence"))
        return Answer(
            text=record.pop("answer"),
            evidence=evidence,
            conflicts=tuple(record.pop("conflicts")),
            usage=Usage(**record.pop("usage")),
            **record,
        )

    def close(self) -> None:
        """Let go of the connection; safe to call twice."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _streaming(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from None

    def _change(self, method: str, path: str, **options: Any) -> Receipt:
        return receipt_of(self._read(method, path, **options))

    def _read(self, method: str, path: str, **options: Any) -> Any:
        return self._call(method, f"{self._path}{path}", **options).json()

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return _checked(self._send(method, path, **options))

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._streaming():
            return self._client.request(method, path, **options)


def _checked(reply: httpx.Response) -> httpx.Response:
    if reply.is_error:
        raise error_of(reply)
    return reply


def _fact(fact_id: str) -> str:
    return f"/facts/{quote(fact_id, safe='')}"


def _if_match(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f'"{revision}"'}
