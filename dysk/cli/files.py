"""The verbs that move whole files: import and export."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dysk.cli import output, settings
from dysk.cli.errors import BAD_INPUT, InputError

_PANEL = "Files"
_GZIP = b"\x1f\x8b"


class Format(StrEnum):
    """What a file is written in."""

    jsonl = "jsonl"
    csv = "csv"


def register(app: typer.Typer) -> None:
    """Mount the file verbs."""
    app.command("import", rich_help_panel=_PANEL)(import_)
    app.command(rich_help_panel=_PANEL)(export)


def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="The file, plain or gzip; - is stdin.")],
    format: Annotated[Format | None, typer.Option(help="Default: by the name, else jsonl.")] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Call a line with an unknown field bad; else it is kept."),
    ] = False,
) -> None:
    """Bring in the facts of a JSON Lines or CSV file; bad lines are named and left out."""
    chosen = settings.of(context)
    with _opened(file) as (stream, size), chosen.opened(create=True) as graph:
        report = graph.import_lines(
            _with_progress(_lines(stream, file), stream, size),
            format=_format(file, format).value,
            extra_attributes=not strict,
        )
    for line in report.bad:
        output.say(f"{file}, line {line.number}: {line.reason}")
    unnamed = report.bad_total - len(report.bad)
    if unnamed:
        output.say(f"… and {unnamed} more bad lines")
    if chosen.as_json:
        output.print_json(
            {
                "added": report.added,
                "unchanged": report.unchanged,
                "bad": [{"line": line.number, "reason": line.reason} for line in report.bad],
                "bad_total": report.bad_total,
                "revision": report.revision,
            }
        )
    else:
        output.out().print(
            f"{report.added} added, {report.unchanged} unchanged, {report.bad_total} bad, "
            f"at revision {report.revision}"
        )
    if report.bad_total:
        raise typer.Exit(BAD_INPUT)


def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="Where to; - is stdout, .gz is compressed.")] = "-",
    format: Annotated[Format | None, typer.Option(help="Default: by the name, else jsonl.")] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only facts that held then.")
    ] = None,
) -> None:
    """Write the graph out; JSON Lines comes back in without loss."""
    chosen = settings.of(context)
    with chosen.opened() as graph:
        lines = graph.export_lines(format=_format(file, format).value, as_of=as_of)
        if file == "-":
            for line in lines:
                sys.stdout.write(f"{line}\n")
            return
        count = _write(Path(file), lines)
    output.say(f"{count} lines written to {file}")


def _format(file: str, given: Format | None) -> Format:
    if given is not None:
        return given
    return Format.csv if file.removesuffix(".gz").endswith(".csv") else Format.jsonl


@contextmanager
def _opened(file: str) -> Iterator[tuple[BufferedReader, int | None]]:
    """The raw bytes of a file or of stdin, and how many there are, where that is known."""
    if file == "-":
        yield BufferedReader(cast("RawIOBase", sys.stdin.buffer)), None
        return
    path = Path(file)
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise InputError(f"there is no file {file}: check the path, or give - for stdin") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    with stream:
        yield stream, path.stat().st_size or None  # a pipe has no size


def _lines(stream: BufferedReader, name: str) -> Iterator[bytes]:
    """Lines, unpacked if the first bytes say gzip. Raises InputError when the file breaks off."""
    if not stream.peek(2).startswith(_GZIP):
        yield from stream
        return
    try:
        with gzip.open(stream) as unpacked:
            yield from unpacked
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InputError(
            f"{name} is not a whole gzip file, and lines before the break may be stored: "
            "fetch the file again and import it, what is stored is not stored twice"
        ) from None


def _with_progress(
    lines: Iterable[bytes], stream: BufferedReader, size: int | None
) -> Iterator[bytes]:
    """The same lines, with a bar on stderr where that is a terminal; bytes read move it."""
    console = output.err()
    if not console.is_terminal:
        yield from lines
        return
    columns = (TextColumn("importing"), BarColumn(), TextColumn("{task.fields[lines]} lines"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("import", total=size, lines=0)
        for count, line in enumerate(lines, start=1):
            yield line
            if count % 100 == 0:
                read = stream.tell() if size is not None else 0
                progress.update(task, completed=read, lines=count)


def _write(path: Path, lines: Iterable[str]) -> int:
    """Write all lines, or leave the old file as it was; returns how many. Raises InputError."""
    if path.exists() and not path.is_file():  # a pipe or a device is not replaced
        return _fill(path, path.suffix, lines)
    target = path.resolve()
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        count = _fill(scratch, path.suffix, lines)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return count


def _fill(path: Path, suffix: str, lines: Iterable[str]) -> int:
    count = 0
    opened = gzip.open if suffix == ".gz" else open
    try:
        with opened(path, "wt", encoding="utf-8") as target:
            for line in lines:
                target.write(f"{line}\n")
                count += 1
    except OSError as error:
        raise InputError(f"cannot write in {path.parent}: {error.strerror}") from None
    return count
