"""``dysk doctor``: does everything that an answer needs stand ready, and if not, what mends it."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from dysk.cli import doctor_data, doctor_machine, doctor_service, output, settings
from dysk.cli.findings import Finding, Level

_STYLE: dict[Level, str] = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def register(app: typer.Typer) -> None:
    """Mount ``doctor``."""
    app.command(rich_help_panel="Look after it")(doctor)


def doctor(context: typer.Context) -> None:
    """Check what dysk needs, part by part, or with --url how a service is; exits 1 when something
    fails.
    """
    chosen = settings.of(context)
    findings = []
    for finding in examine(chosen):
        findings.append(finding)
        if not chosen.as_json:
            _show(finding)
    failed = any(finding.level == "fail" for finding in findings)
    if chosen.as_json:
        record = [
            {"part": f.part, "level": f.level, "found": f.found, "mend": f.mend} for f in findings
        ]
        output.print_json({"ok": not failed, "findings": record})
    raise typer.Exit(1 if failed else 0)


def examine(chosen: settings.Settings) -> Iterator[Finding]:
    """Look at every part in turn; slow parts come last."""
    if chosen.url is not None:
        yield from doctor_service.examine(chosen.url, chosen.api_key, chosen.graph)
        return
    yield from doctor_machine.programs()
    yield from doctor_data.examine(chosen)
    yield from doctor_machine.models(chosen)


def _show(finding: Finding) -> None:
    console = output.out()
    console.print(f"{finding.level:<5}", style=_STYLE[finding.level], end="")
    console.print(f"{finding.part:<12}{finding.found}", markup=False)
    if finding.mend:
        console.print(f"{'':<17}→ {finding.mend}", markup=False)
