"""Request bodies. Unknown fields are refused, and no value is converted: 5 is not a name, "yes" no
boolean.

What a fact may hold (lengths, characters, dates) is the store's to judge, once, for every way in;
its errors come back with the same pointers as those found here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dysk.answer import Grounding, Mode
from dysk.checks import LONGEST_QUESTION, check_question
from dysk.errors import InvalidQuestion
from graph.errors import InvalidTime
from graph.fact import Add, Cardinality, OnConflict
from graph.interval import parse_date
from service.keys import Scope

MAX_FACTS = 1000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


def usable_date(text: str) -> str:
    """The text itself, if it is a date that graph.interval reads; else a validation error that says
    so.
    """
    try:
        parse_date(text)
    except InvalidTime as error:
        raise PydanticCustomError("invalid_time", "{reason}", {"reason": error.detail}) from None
    return text


def usable_question(text: str) -> str:
    """The text itself, if dysk.checks takes it for a question; else a validation error."""
    try:
        check_question(text)
    except InvalidQuestion as error:
        raise PydanticCustomError("invalid_question", "{reason}", {"reason": str(error)}) from None
    return text


def usable_name(text: str) -> str:
    """The text itself, if it can name a folder on any machine; else a validation error."""
    if not _NAME.fullmatch(text):
        raise PydanticCustomError(
            "invalid_name",
            "a graph's name has letters, digits, _, - and ., at most 64, and begins with a letter "
            "or digit",
        )
    return text


Date = Annotated[
    str,
    AfterValidator(usable_date),
    Field(description="ISO 8601, possibly reduced: 2021, 2021-05, 2021-05-03T10:00Z"),
]
Question = Annotated[
    str,
    AfterValidator(usable_question),
    Field(json_schema_extra={"minLength": 1, "maxLength": LONGEST_QUESTION}),
]


class Body(BaseModel):
    """Base of every request body."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FactIn(Body):
    """A fact to add. ``id`` is chosen by the store where it is absent."""

    subject: str
    relation: str
    object: str
    valid_from: str | None = Field(None, description="Inclusive; absent means always.")
    valid_to: str | None = Field(None, description="Exclusive; absent means until further notice.")
    source: str | None = None
    external_id: str | None = None
    attributes: dict[str, Any] = {}
    id: str | None = None
    aliases: list[str] = Field([], description="Other names of the subject.")
    object_aliases: list[str] = Field([], description="Other names of the object.")

    def command(self, on_conflict: OnConflict | None) -> Add:
        """The store's command for it."""
        return Add(
            subject=self.subject,
            relation=self.relation,
            object=self.object,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            source=self.source,
            external_id=self.external_id,
            attributes=self.attributes,
            id=self.id,
            on_conflict=on_conflict,
            aliases=tuple(self.aliases),
            object_aliases=tuple(self.object_aliases),
        )


class AddFacts(Body):
    """A batch of facts: one commit, all or nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "facts": [
                        {
                            "subject": "United Kingdom",
                            "relation": "head of government",
                            "object": "Keir Starmer",
                            "valid_from": "2024-07-05",
                            "source": "gov.uk",
                            "aliases": ["UK"],
                        }
                    ],
                    "on_conflict": "supersede",
                }
            ]
        }
    )

    facts: list[FactIn] = Field(min_length=1, max_length=MAX_FACTS)
    on_conflict: OnConflict | None = Field(
        None, description="Absent: the relation's cardinality decides."
    )
    dry_run: bool = Field(False, description="Say what would happen, and write nothing.")


class Correction(Body):
    """The fields that were recorded wrongly, with their right values; null clears one that may be
    absent.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"valid_from": "2024-07-05"}]})

    subject: str = ""
    relation: str = ""
    object: str = ""
    valid_from: str | None = None
    valid_to: str | None = None
    source: str | None = None
    external_id: str | None = None
    attributes: dict[str, Any] = {}

    @model_validator(mode="after")
    def _says_something(self) -> Correction:
        if not self.model_fields_set:
            raise PydanticCustomError("empty_correction", "name at least one field to correct")
        return self


class EndFact(Body):
    """When the fact stopped being true."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"at": "2025-09"}]})

    at: str = Field(description="The first instant at which it no longer held.")


class RelationSettings(Body):
    """How facts of a relation behave and read. Applies to later writes; absent fields take the
    defaults.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "cardinality": "one",
                    "template": "The head of government of {subject} is {object}.",
                }
            ]
        }
    )

    cardinality: Cardinality = "many"
    template: str | None = Field(None, description="A sentence with {subject} and {object}.")
    inverse: str | None = Field(
        None, description="Its name seen from the object, such as `employs` for `works for`."
    )


class NewGraph(Body):
    """A graph to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "politics"}]})

    name: Annotated[str, AfterValidator(usable_name)] = Field(
        description="Letters, digits, _, - and ., at most 64, beginning with a letter or digit."
    )


class NewKey(Body):
    """A key to make."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "importer", "scope": "write", "graphs": ["news"]}]}
    )

    name: str = Field(min_length=1, max_length=200, description="Whose it is, or what for.")
    scope: Scope = Field(description="read ⊂ write ⊂ admin")
    graphs: list[Annotated[str, AfterValidator(usable_name)]] | None = Field(
        None, min_length=1, description="The graphs it is for; absent: every graph."
    )


class NewAliases(Body):
    """Other names of an entity."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"aliases": ["UK", "Britain"]}]})

    aliases: list[str] = Field(min_length=1, max_length=100)


class Merge(Body):
    """Two names of one entity."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"source": "Sir Keir Starmer", "target": "Keir Starmer"}]}
    )

    source: str = Field(description="The entity that is another one.")
    target: str = Field(description="The one that it is.")


class EraseMany(Body):
    """Whose facts to erase: of a source, or about an entity."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": "rumours.example"}]})

    source: str | None = None
    entity: str | None = Field(None, description="Name or alias, as subject or object.")

    @model_validator(mode="after")
    def _names_one(self) -> EraseMany:
        if (self.source is None) == (self.entity is None):
            raise PydanticCustomError("one_of_two", "give either source or entity")
        return self


class Compact(Body):
    """The earliest revision to keep."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"before": 1200}]})

    before: int = Field(ge=0, lt=2**63)


class Search(Body):
    """Words to find facts by."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "head of government of the UK", "limit": 5}]}
    )

    text: Question
    as_of: Date | None = Field(None, description="Only facts that hold then; absent means now.")
    limit: int = Field(8, ge=1, le=100)


class Ask(Body):
    """A question to the model over the graph."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"question": "Who leads the UK?"},
                {"question": "Who led the UK?", "as_of": "2023-03", "mode": "rag", "top_k": 1},
            ]
        }
    )

    question: Question
    as_of: Date | None = Field(
        None, description="The time asked about; absent: as the question says, else now."
    )
    known_at: Date | None = Field(None, description="Answer from what the graph believed then.")
    min_revision: int | None = Field(
        None, ge=0, lt=2**63, description="At least this revision: read your own writes."
    )
    mode: Mode = "attention"
    candidates: int = Field(32, ge=1, le=1024, description="Facts that coarse retrieval offers.")
    top_k: int = Field(4, ge=1, le=128, description="Facts that the model reads.")
    grounding: Grounding = "check"
    max_tokens: int = Field(48, ge=1, le=512, description="Longest answer.")
