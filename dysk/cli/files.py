"""The verbs that move whole files: import and export."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from enum import StrEnum
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from dysk.cli import output, settings
from dysk.cli.errors import BAD_INPUT, InputError
from dysk.cli.streams import opened, rewindable, with_progress, write
from graph.interchange import (
    ExportFormat,
    ImportFormat,
    ImportReport,
    recognise,
    recognise_target,
    unpack,
)

if TYPE_CHECKING:
    from dysk.client import Dysk
    from dysk.remote import RemoteDysk

_PANEL = "Files"


class Source(StrEnum):
    """What a file to import is written in."""

    auto = "auto"
    jsonl = "jsonl"
    csv = "csv"
    ntriples = "ntriples"
    turtle = "turtle"
    wikidata = "wikidata"


class Target(StrEnum):
    """What a file to export is written in."""

    auto = "auto"
    jsonl = "jsonl"
    csv = "csv"
    ntriples = "ntriples"
    turtle = "turtle"
    graphml = "graphml"


def register(app: typer.Typer) -> None:
    """Mount the file verbs."""
    app.command("import", rich_help_panel=_PANEL)(import_)
    app.command(rich_help_panel=_PANEL)(export)


def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="The file, plain, gzip or bzip2; - is stdin.")],
    format: Annotated[
        Source, typer.Option(help="auto: by the name, else by the first line.")
    ] = Source.auto,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Write nothing if a line is bad. Unknown fields, else kept, are then bad too.",
        ),
    ] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FIELD", help="What a column of a CSV table holds."),
    ] = None,
    language: Annotated[
        str, typer.Option(help="Language of the names to take from RDF and Wikidata.")
    ] = "en",
) -> None:
    """Bring in the facts of a file; bad lines are named and left out."""
    chosen = settings.of(context)
    columns = dict(_column(each) for each in column or ())
    if chosen.url is not None and strict:
        raise InputError(
            "--strict tries the file on a copy of the graph, which a service does not give: import "
            "without it, and correct the lines that it names"
        )
    with opened(file) as (stream, size):
        reading = _Reading(file, stream, size, format, strict, columns, language)
        if strict:
            from dysk.rehearsal import rehearsed

            with (
                chosen.workspace() as workspace,
                rewindable(stream) as again,
                rehearsed(workspace, chosen.graph) as copy,
            ):
                reading = replace(reading, stream=again)
                start, revision = again.tell(), copy.store.revision
                tried = reading.into(copy, "checking")
                if tried.bad_total:
                    report = replace(tried, added=0, unchanged=0, skipped=0, revision=revision)
                    _show(file, report, as_json=chosen.as_json)
                    output.say("nothing was written")
                    raise typer.Exit(BAD_INPUT)
                again.seek(start)
                report = reading.into(workspace.graph(chosen.graph, create=True), "importing")
        else:
            with chosen.opened(create=True) as graph:
                report = reading.into(graph, "importing")
    _show(file, report, as_json=chosen.as_json)
    if report.bad_total:
        raise typer.Exit(BAD_INPUT)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file, and how it is to be read."""

    file: str
    stream: BufferedReader
    size: int | None
    format: Source
    strict: bool
    columns: dict[str, str]
    language: str

    def into(self, graph: Dysk | RemoteDysk, message: str) -> ImportReport:
        """Read the stream from where it is, and add its facts."""
        lines = with_progress(unpack(self.stream, self.file), self.stream, self.size, message)
        first = next(lines, b"")
        said = None if self.format is Source.auto else cast("ImportFormat", self.format.value)
        return graph.import_lines(
            chain((first,), lines),
            format=said or recognise(self.file, first),
            extra_attributes=not self.strict,
            columns=self.columns,
            language=self.language,
        )


def export(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(help="Where to; - is stdout, .gz and .bz2 are compressed.")
    ] = "-",
    format: Annotated[Target, typer.Option(help="auto: by the name, else jsonl.")] = Target.auto,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only facts that held then.")
    ] = None,
) -> None:
    """Write the graph out; JSON Lines and RDF come back in without loss."""
    chosen = settings.of(context)
    with chosen.opened() as graph:
        said = None if format is Target.auto else cast("ExportFormat", format.value)
        lines = graph.export_lines(format=said or recognise_target(file), as_of=as_of)
        if file == "-":
            for line in lines:
                sys.stdout.write(f"{line}\n")
            return
        count = write(Path(file), lines)
    output.say(f"{count} lines written to {file}")


def _column(given: str) -> tuple[str, str]:
    name, equals, field = given.rpartition("=")
    if not equals:
        raise InputError(f"--column {given} names no field: write it as NAME=FIELD")
    return name, field


def _show(file: str, report: ImportReport, *, as_json: bool) -> None:
    """The bad lines on stderr, and what became of the file on stdout."""
    for line in report.bad:
        output.say(f"{file}, line {line.number}: {line.reason}")
    unnamed = report.bad_total - len(report.bad)
    if unnamed:
        output.say(f"… and {unnamed} more bad lines")
    if as_json:
        output.print_json(
            {
                "added": report.added,
                "unchanged": report.unchanged,
                "skipped": report.skipped,
                "bad": [{"line": line.number, "reason": line.reason} for line in report.bad],
                "bad_total": report.bad_total,
                "revision": report.revision,
            }
        )
        return
    skipped = f"{report.skipped} left out, " if report.skipped else ""
    output.out().print(
        f"{report.added} added, {report.unchanged} unchanged, {skipped}{report.bad_total} bad, "
        f"at revision {report.revision}"
    )
