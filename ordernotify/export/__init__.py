"""Write a stack down for another tool to take over: exactly what was found, and no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.executor import Plan
from ordernotify.export import cloudformation, terraform
from ordernotify.export.found import export_calls, find_stack
from ordernotify.export.readme import notes_of, readme
from ordernotify.resources.base import Resource
from ordernotify.resources.function_code import function_zip

__all__ = [
    "Export",
    "ExportFormat",
    "check_folder",
    "export_calls",
    "export_stack",
    "parse_format",
    "write_files",
]

CODE = "function.zip"


class ExportFormat(StrEnum):
    """The tool that takes the stack over."""

    CLOUDFORMATION = cloudformation.NAME
    TERRAFORM = terraform.NAME


@dataclass(frozen=True, slots=True)
class Export:
    """The files by name, and what the person should know of them."""

    files: Mapping[str, bytes]
    notes: Sequence[str]


def export_stack(
    cloud: Cloud, resources: Sequence[Resource[Any]], planned: Plan, format_: ExportFormat
) -> Export:
    """Write the stack of a plan without changes in this format; nothing is changed, in the account or here.

    Raises StackNotFoundError, and OrderNotifyError if the stack is not as described.
    """
    stack = find_stack(cloud, resources, planned)
    write = terraform.write if format_ is ExportFormat.TERRAFORM else cloudformation.write
    notes = tuple(notes_of(stack, format_))
    texts = {**write(stack), "README.md": readme(stack, format_, notes)}
    return Export({**{name: text.encode() for name, text in texts.items()}, CODE: function_zip()}, notes)


def parse_format(name: str) -> ExportFormat:
    """Raise UsageError unless it is the name of a format."""
    try:
        return ExportFormat(name)
    except ValueError:
        raise UsageError(f"there is no format {name!r}", f"Use {' or '.join(ExportFormat)}.") from None


def check_folder(folder: Path) -> None:
    """Raise UsageError unless the folder is empty or does not exist: nothing is ever written over."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder", "Name a new one; an export overwrites nothing.")


def write_files(export: Export, folder: Path) -> None:
    """Write the files into the folder, which is made if need be: all of them, or none.

    Raises OrderNotifyError if they cannot be written.
    """
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in export.files.items():
            written.append(folder / name)
            written[-1].write_bytes(content)
    except BaseException as error:
        with suppress(OSError):
            for file in written:
                file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OrderNotifyError(
                f"could not write to {folder}: {error.strerror}", "Name a folder that you may write to."
            ) from error
        raise
