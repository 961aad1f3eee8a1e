"""The function's code: a zip that is the same for the same source."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import zipfile
from importlib import resources as package_files

HANDLER = "ordernotify.handler.handler"
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def packed_files() -> dict[str, bytes]:
    """Return what the zip holds, by path: the handler and what it imports, under the same import names."""
    package = package_files.files("ordernotify")
    names = ["__init__.py", "handler.py"]
    names += sorted(
        f"function/{file.name}" for file in (package / "function").iterdir() if file.name.endswith(".py")
    )
    return {f"ordernotify/{name}": (package / name).read_bytes() for name in names}


@functools.cache
def function_zip() -> bytes:
    """Pack the files so that the same source makes the same bytes: stored, with a fixed date."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as zipped:
        for name, source in packed_files().items():
            entry = zipfile.ZipInfo(name, _ZIP_DATE)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, source)
    return archive.getvalue()


def code_sha256() -> str:
    """Return the zip's SHA-256 in base64, as Lambda reports it."""
    return base64.b64encode(hashlib.sha256(function_zip()).digest()).decode()
