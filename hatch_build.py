"""Release wheels bring the CPU kernel along.

``DYSK_PREBUILT=1 python -m hatchling build -t wheel`` needs torch and g++ where it runs, and makes
a wheel for this platform. Any other build needs neither, and the kernel is built at first use
instead. It keeps to torch's stable ABI: one wheel serves every torch from 2.10 on, and every
Python.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags


class KernelHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the kernel into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it writes the wheel."""
        if os.environ.get("DYSK_PREBUILT") != "1":
            return
        native = self._native()
        self._folder = tempfile.TemporaryDirectory(prefix="dysk-wheel-")
        library = Path(self._folder.name) / native.PREBUILT.name
        native.build(library)
        build_data["force_include"][str(library)] = f"dysk/ops/{library.name}"
        build_data["pure_python"] = False
        # The first of them asks for no newer C library than the one it was linked with here.
        tags = [tag for tag in platform_tags() if not tag.startswith("linux")]
        build_data["tag"] = f"py3-none-{tags[0]}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling once the wheel is written."""
        if folder := getattr(self, "_folder", None):
            folder.cleanup()

    def _native(self) -> Any:
        """dysk/ops/native.py by its path: dysk itself need not be installed to build it."""
        path = Path(self.root) / "dysk" / "ops" / "native.py"
        spec = importlib.util.spec_from_file_location("dysk_native_build", path)
        if spec is None or spec.loader is None:
            raise RuntimeError(f"{path} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except ModuleNotFoundError as error:
            raise RuntimeError(
                "DYSK_PREBUILT=1 builds against the torch at hand: install torch, and build "
                "without isolation (python -m hatchling build)"
            ) from error
        return module
