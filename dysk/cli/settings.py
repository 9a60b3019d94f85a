"""The global settings of a call, and where each came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dysk.cli.errors import InputError

if TYPE_CHECKING:
    from dysk.client import Dysk
    from dysk.remote import RemoteDysk
    from dysk.workspace import Workspace


class Output(StrEnum):
    """How results are written to stdout."""

    text = "text"
    json = "json"


@dataclass(frozen=True, slots=True)
class Settings:
    """What stands before the verb. ``origins`` says which option or variable set each field."""

    data: Path
    graph: str
    output: Output
    model: str | None
    encoder: str | None
    origins: Mapping[str, str]
    graph_url: str | None = None
    url: str | None = None
    api_key: str | None = field(default=None, repr=False)

    @property
    def as_json(self) -> bool:
        """True when stdout carries JSON for a machine."""
        return self.output is Output.json

    def workspace(self, data: Path | None = None) -> Workspace:
        """The data folder, opened without loading any model; another one than the chosen holds its
        graphs itself. Raises DataFolderError, InvalidGraphUrl, InputError with ``--url``.
        """
        if data is None:
            self.refuse_url()
        from dysk.workspace import Workspace

        return Workspace(
            data or self.data,
            model=self.model,
            encoder=self.encoder,
            graph_url=self.graph_url if data is None else None,
        )

    def refuse_url(self) -> None:
        """Raises InputError where a service is named, for verbs that work on a data folder."""
        if self.url is not None:
            raise InputError(
                "this verb works on a data folder, and --url (or DYSK_URL) names a service: run it "
                "without, on the machine that has the folder"
            )

    @contextmanager
    def opened(self, *, create: bool = False) -> Iterator[Dysk | RemoteDysk]:
        """The chosen graph, here or of a service; ``create`` makes a missing one, else NotFound."""
        if self.url is not None:
            from dysk.remote import RemoteDysk

            with RemoteDysk(self.url, api_key=self.api_key, graph=self.graph) as remote:
                if create:
                    remote.create()
                yield remote
            return
        with self.workspace() as workspace:
            yield workspace.graph(self.graph, create=create)


def of(context: typer.Context) -> Settings:
    """The settings that the root callback laid into the context."""
    found = context.find_object(Settings)
    if found is None:
        raise RuntimeError("the command was run outside the dysk command line")
    return found


def origins(context: typer.Context) -> dict[str, str]:
    """For each global option: the option or environment variable that set it, or ``default``."""
    found = {}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        kind = source.name if source else "DEFAULT"
        if kind == "COMMANDLINE":
            found[str(parameter.name)] = parameter.opts[0]
        elif kind == "ENVIRONMENT":
            found[str(parameter.name)] = str(parameter.envvar)
        else:
            found[str(parameter.name)] = "default"
    return found
