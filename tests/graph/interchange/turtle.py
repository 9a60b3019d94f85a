"""Turtle without its prefixes, read by the importer."""

from __future__ import annotations

from typing import Any

from graph import Add
from graph.interchange import BadLine, rdf
from graph.interchange.loading import Numbered
from graph.interchange.rdf import Syntax

PREFIXES = """\
@prefix : <http://example.org/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix schema: <http://schema.org/> .
@prefix dysk: <urn:dysk:field:> .
"""
FIRST = PREFIXES.count("\n") + 1
"""The number of the first line after them."""


def read(text: str, syntax: Syntax = "turtle", **options: Any) -> list[Numbered]:
    prefixes = PREFIXES if syntax == "turtle" else ""
    return list(rdf.read((prefixes + text).encode().splitlines(keepends=True), syntax, **options))


def adds(text: str, **options: Any) -> list[Add]:
    found = [command for _, command in read(text, **options)]
    assert not [each for each in found if isinstance(each, BadLine)]
    return [command for command in found if isinstance(command, Add)]


def said(text: str, **options: Any) -> list[tuple[str, str, str, str | None, str | None]]:
    return [
        (add.subject, add.relation, add.object, add.valid_from, add.valid_to)
        for add in adds(text, **options)
    ]


def bad(text: str, syntax: Syntax = "turtle", **options: Any) -> list[tuple[int, str]]:
    found = [line for _, line in read(text, syntax, **options) if isinstance(line, BadLine)]
    return [(line.number, line.reason) for line in found]
