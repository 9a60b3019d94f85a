"""``dysk serve``: the verb that this package adds to the command line, by an entry point."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dysk.cli import settings as command_line

app = typer.Typer()


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default 127.0.0.1, or DYSK_HOST.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port; default 8000, or DYSK_PORT; 0 takes a free one."
        ),
    ] = None,
    insecure_public: Annotated[
        bool,
        typer.Option("--insecure-public", help="Let others reach it, although it has no keys."),
    ] = False,
) -> None:
    """Serve the graphs over REST until Ctrl-C."""
    from service import run, settings

    chosen = command_line.of(context)
    given: dict[str, Any] = {"host": host, "port": port}
    given |= {"data": chosen.data, "model": chosen.model, "encoder": chosen.encoder}
    given["graph_url"] = chosen.graph_url
    run.serve(
        chosen.workspace(),
        settings.read(**{name: value for name, value in given.items() if value is not None}),
        insecure_public=insecure_public,
    )
