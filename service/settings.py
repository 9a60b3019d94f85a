"""What an operator may set, from the environment (``DYSK_PORT=9000``) or from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from dysk.errors import DyskError
from service.logs import LogFormat


class Settings(BaseSettings):
    """Settings of one service process. Each field reads ``DYSK_<NAME>`` unless it is given."""

    model_config = SettingsConfigDict(env_prefix="DYSK_", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    data: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("dysk"),
        description="Data folder: graphs and caches.",
    )
    model: str | None = Field(default=None, description="Language model: a path or a hub name.")
    encoder: str | None = Field(default=None, description="Sentence encoder: a path or a hub name.")
    graph_url: str | None = Field(
        default=None,
        description="Neo4j server that holds the graphs instead of the data folder, such as "
        "bolt://127.0.0.1:7687; its password is NEO4J_PASSWORD.",
    )
    max_body_bytes: int = Field(
        default=8 * 2**20,
        ge=1024,
        description="Largest request body; 1000 facts of 8 KiB each fit the default.",
    )
    concurrent_asks: int = Field(
        default=16,
        ge=1,
        description="Asks that run at once; they share the forward passes of one model.",
    )
    max_waiting_asks: int = Field(
        default=64, ge=0, description="Asks that may wait for their turn; the next ones get 503."
    )
    max_import_bytes: int = Field(
        default=2**30,
        ge=1024,
        description="Largest file to import, as it is sent: packed, if it is packed.",
    )
    max_waiting_jobs: int = Field(
        default=16, ge=0, description="Imports that may wait for their turn; the next get 503."
    )
    requests_per_minute: int = Field(
        default=0, ge=0, description="Requests of each key, or address without keys; 0: any number."
    )
    allowed_hosts: str = Field(
        default="",
        description="Names besides its addresses that the service goes by, with commas between; "
        "* is any.",
    )
    log_format: LogFormat = Field(
        default="text", description="text for people, json for machines: one object a line."
    )

    @property
    def host_names(self) -> list[str]:
        """``allowed_hosts`` one by one."""
        return [name.strip() for name in self.allowed_hosts.split(",") if name.strip()]


class InvalidSettings(DyskError):
    """A setting holds a value that it cannot have; the message names it."""

    code = "invalid_settings"


def read(**given: Any) -> Settings:
    """The settings: what is given, else the environment, else the defaults.

    Raises InvalidSettings.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = f"DYSK_{wrong['loc'][0]}".upper()
        raise InvalidSettings(f"the environment variable {name}: {wrong['msg']}") from None
