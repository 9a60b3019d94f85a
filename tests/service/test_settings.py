"""Settings come from the environment, and say what each is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.settings import InvalidSettings, Settings, read


def test_settings_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYSK_PORT", "9000")
    monkeypatch.setenv("DYSK_DATA", "world")
    settings = read()
    assert (settings.port, settings.data) == (9000, Path("world"))


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYSK_PORT", "9000")
    assert read(port=0).port == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "70000"), ("PORT", "http"), ("MAX_BODY_BYTES", "0"), ("CONCURRENT_ASKS", "0")],
)
def test_values_that_cannot_be_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"DYSK_{name}", value)
    with pytest.raises(InvalidSettings, match=f"DYSK_{name}"):
        read()


def test_the_default_is_to_listen_to_this_machine_alone() -> None:
    assert read().host == "127.0.0.1"


def test_every_setting_is_documented() -> None:
    assert all(field.description for field in Settings.model_fields.values())
