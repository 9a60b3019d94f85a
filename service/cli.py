"""``dysk serve``, which the command line mounts by the entry point group ``dysk.commands``."""

from __future__ import annotations

from typing import Annotated

import typer

from dysk.cli import settings as call

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8000")
    ] = None,
    insecure_public: Annotated[
        bool,
        typer.Option("--insecure-public", help="Let others reach a service that has no keys."),
    ] = False,
) -> None:
    """Serve the REST interface until told to stop (docs/service.md)."""
    from service import run, settings

    chosen = call.of(context)
    given = {"host": host, "port": port, "data": chosen.data}
    given |= {"model": chosen.model, "encoder": chosen.encoder}
    run.serve(
        chosen.workspace(),
        settings.read(**{name: value for name, value in given.items() if value is not None}),
        insecure_public=insecure_public,
    )
