"""`export-stack`: hand a stack over to CloudFormation or Terraform."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ordernotify.cli import app
from ordernotify.cli.options import JsonOption
from ordernotify.cli.run import Run, command

FormatOption = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help="cloudformation or terraform.", show_envvar=False)
]
FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder to write to; new or empty.", show_default=False)
]


@command(app, "export-stack")
def export_stack(run: Run, folder: FolderArgument, format_: FormatOption, json: JsonOption = False) -> None:
    """Write the stack, exactly as it was found, for CloudFormation or Terraform to take over.

    Nothing is changed but the folder: its README.md has the commands of the take-over.

    Example: ordernotify export-stack --format terraform handover
    """
    from ordernotify import export

    chosen = export.parse_format(format_)
    export.check_folder(folder)
    cloud, names = run.open()
    from ordernotify import provision
    from ordernotify.render import clean, json_document, note, out
    from ordernotify.stack.discovery import recorded_settings, with_own_role

    recorded = recorded_settings(cloud, names, run.stack)
    settings = run.settings(with_own_role(cloud, names, run.stack), recorded)
    resources = provision.declare(settings, cloud)
    written = export.export_stack(cloud, resources, provision.plan(resources), chosen)
    export.write_files(written, folder)
    files = sorted(written.files)
    if json:
        json_document({"folder": str(folder), "files": files, "notes": list(written.notes)})
        return
    for name in files:
        out.print(clean(folder / name))
    for line in written.notes:
        note(line)
    note(f"Nothing was changed. {folder / 'README.md'} has the commands with which to take the stack over.")
