"""The apps that come with the package: one folder each, its manifest in plain text."""

from __future__ import annotations

from pathlib import Path

from collegium.apps.manifest import MANIFEST_FILE, Manifest, read_manifest

LIBRARY = Path(__file__).parent


def library_apps() -> dict[str, Manifest]:
    """The apps by ``author/name``.

    Raises:
        BadInput: A manifest cannot be read.
    """
    found = (read_manifest(file) for file in sorted(LIBRARY.glob(f"*/{MANIFEST_FILE}")))
    return {manifest.id: manifest for manifest in found}
