"""Keys: who may come in, what they may do, and to which graphs.

A key is shown once, when it is made; the data folder keeps its SHA-256 in ``keys.json``, which only
its owner may read. A key has 256 random bits, so that a slow hash would guard nothing more.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock

from dysk.errors import DataFolderError
from graph.errors import NotFound

Scope = Literal["read", "write", "admin"]
"""read: ask and look · write: read, and change facts · admin: write, and graphs, keys, compaction.
"""
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "dysk_"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. ``graphs`` None is every graph."""

    id: str
    name: str
    scope: Scope
    graphs: tuple[str, ...] | None
    created_at: str
    digest: str
    revoked_at: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as far as it matters: a name for limits and logs, and their rights."""

    name: str
    scope: Scope
    graphs: tuple[str, ...] | None = None

    def may(self, scope: Scope) -> bool:
        """True when the caller's scope includes this one."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)

    def sees(self, graph: str) -> bool:
        """True when the caller's graphs include this one."""
        return self.graphs is None or graph in self.graphs


class KeyRing:
    """The keys of a data folder. Thread-safe, and follows what other processes change."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "keys.json"
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    @property
    def closed(self) -> bool:
        """True once a key was ever made: from then on nobody comes in without one."""
        return bool(self.all())

    def all(self) -> tuple[Key, ...]:
        """Every key, revoked ones included, oldest first. Raises DataFolderError."""
        with self._lock:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                self._keys = () if stamp is None else self._read()
                self._stamp = stamp
            return self._keys

    def find(self, token: str) -> Key | None:
        """The key that this is, unless it is revoked."""
        digest = _digest(token)
        for key in self.all():
            if hmac.compare_digest(key.digest, digest) and key.revoked_at is None:
                return key
        return None

    def create(
        self, name: str, scope: Scope, graphs: Sequence[str] | None = None
    ) -> tuple[Key, str]:
        """A new key and its secret, which is nowhere to be found afterwards."""
        token = PREFIX + secrets.token_urlsafe(32)
        key = Key(
            id=f"k{secrets.token_hex(4)}",
            name=name,
            scope=scope,
            graphs=None if graphs is None else tuple(graphs),
            created_at=_now(),
            digest=_digest(token),
        )
        self._change(lambda keys: (*keys, key))
        return key, token

    def revoke(self, key_id: str) -> Key:
        """The key opens nothing from now on. Raises NotFound."""

        def revoked(keys: tuple[Key, ...]) -> tuple[Key, ...]:
            if key_id not in {key.id for key in keys}:
                raise NotFound(
                    f"there is no key {key_id!r}; `dysk keys list` shows those there are"
                )
            return tuple(
                replace(key, revoked_at=_now())
                if key.id == key_id and key.revoked_at is None
                else key
                for key in keys
            )

        return next(key for key in self._change(revoked) if key.id == key_id)

    def _change(self, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> tuple[Key, ...]:
        try:
            with FileLock(f"{self._file}.lock", timeout=10):
                keys = change(() if self._stamp_now() is None else self._read())
                scratch = self._file.with_suffix(".new")
                scratch.unlink(missing_ok=True)
                descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8") as target:
                    json.dump({"keys": [asdict(key) for key in keys]}, target, indent=1)
                    target.flush()
                    os.fsync(target.fileno())
                scratch.replace(self._file)
        except OSError as error:
            raise DataFolderError(f"{self._file} cannot be written ({error.strerror})") from error
        return keys

    def _read(self) -> tuple[Key, ...]:
        try:
            records = json.loads(self._file.read_text(encoding="utf-8"))["keys"]
            return tuple(
                Key(**{**each, "graphs": None if each["graphs"] is None else tuple(each["graphs"])})
                for each in records
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataFolderError(
                f"{self._file} cannot be read, so nobody can be let in ({error}): restore the "
                "file, or remove it and make new keys with `dysk keys create`"
            ) from error

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataFolderError(f"{self._file} cannot be read ({error.strerror})") from error
        return found.st_mtime_ns, found.st_size, found.st_ino


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
