"""A server that speaks Bolt and Cypher: the one inside the package ``arcadedb-embedded``, run as a
process of its own, which a test may kill and start again over the same data.
"""

from __future__ import annotations

import importlib.util
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

import neo4j
from neo4j.exceptions import DriverError, Neo4jError

START_SECONDS = 120.0
STOP_SECONDS = 30.0
DATABASE = "neo4j"

# What the package's own launcher passes to its Java.
_JAVA_OPTIONS = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseCompactObjectHeaders",
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/java.nio.channels.spi=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "--add-modules=jdk.incubator.vector",
    "-Djava.awt.headless=true",
    "-Dpolyglot.engine.WarnInterpreterOnly=false",
)


class BoltServer:
    """Listens on a free port of this machine from ``start`` until ``stop`` or ``kill``."""

    user = "root"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password = secrets.token_urlsafe(12)
        self.port = _free_port()
        self._web_port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"bolt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, or start again, and wait until it answers."""
        package = Path(_package())
        settings = {
            "server.rootPath": self.folder,
            "server.rootPassword": self.password,
            "server.mode": "development",  # else its errors say nothing
            "server.defaultDatabases": f"{DATABASE}[root]",
            "server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
            "server.httpIncomingHost": "127.0.0.1",
            "server.httpIncomingPort": self._web_port,
            "bolt.host": "127.0.0.1",
            "bolt.port": self.port,
        }
        for name in ("databases", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        with (self.folder / "output.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(package / "jre" / "bin" / "java"),
                    *_JAVA_OPTIONS,
                    *(f"-Darcadedb.{name}={value}" for name, value in settings.items()),
                    "-cp",
                    str(package / "jars" / "*"),
                    "com.arcadedb.server.ArcadeDBServer",
                ],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers(self._process)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a loss of power would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with neo4j.GraphDatabase.driver(
                    self.uri, auth=(self.user, self.password)
                ) as driver:
                    driver.execute_query("RETURN 1", database_=DATABASE)
                return
            except (DriverError, Neo4jError):
                if process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    log = (self.folder / "output.log").read_text(errors="replace")
                    raise RuntimeError(f"the Bolt server does not start:\n{log[-2000:]}") from None
                time.sleep(0.1)


def _package() -> str:
    # Found, not imported: importing it would start a Java in this process.
    found = importlib.util.find_spec("arcadedb_embedded")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("arcadedb-embedded is not installed: run make test")
    return found.submodule_search_locations[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
