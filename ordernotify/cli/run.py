"""What all commands share: registering, opening the cloud, and what a person sees of an error."""

from __future__ import annotations

import errno
import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import typer

from ordernotify.cli import app as root
from ordernotify.cli.help import panel_of, tell
from ordernotify.cli.interrupt import INTERRUPTED
from ordernotify.cli.options import COMMON_OPTIONS, COMMON_PANEL
from ordernotify.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    OrderNotifyError,
    StackNotFoundError,
    UsageError,
    unexpected,
)
from ordernotify.settings.environment import told_by_environment
from ordernotify.settings.file import DEFAULT_FILE, told_by_file
from ordernotify.settings.model import NAME_ROWS, ROWS, SETTING_ROWS, Settings
from ordernotify.settings.names import PLACE_ROWS, Names, Place, Target
from ordernotify.settings.row import SettingsError
from ordernotify.settings.told import Told, describe

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud


_OUTPUT_FAILS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""Mostly a full disk behind stdout; a connection that fails is none of these."""


@dataclass(frozen=True, slots=True)
class Run:
    """One invocation of a command: which stack, where it lives, and how to open that place."""

    stack: str
    told_names: Names
    """As told or by default; `names_in` finds those that the stack has."""
    target: Target
    region: str | None
    profile: str | None
    verbose: bool
    flags: Mapping[str, Any]
    """The settings that were given on this command line, by option name."""
    told: Told
    """Every setting that was given: a flag wins over the environment, and this over the file."""
    config: Path
    """The settings file, whether it exists or not."""
    faults: tuple[UsageError, ...] = ()
    """Why the environment or the settings file was not read, for a command that works without it."""

    def settings(self, names: Names | None = None, recorded: Mapping[str, Any] | None = None) -> Settings:
        """Describe the stack as told, and for the rest as `setup` recorded it.

        What was recorded goes into the commands that hints name: `setup` describes the whole stack anew.
        """
        from ordernotify.render.hints import add_settings

        kept = recorded or {}
        add_settings(
            {
                row.option: row.as_told(kept[row.field])
                for row in SETTING_ROWS
                if row.field in kept and row.option not in self.told.values
            }
        )
        return describe(self.stack, names or self.told_names, self.told, recorded)

    def open(self) -> tuple[Cloud, Names]:
        """Open the place, and find the names of the stack there."""
        cloud = self.cloud()
        return cloud, self.names_in(cloud)

    def names_in(self, cloud: Cloud) -> Names:
        """Find the names of the stack: those told, and for the rest those that it has."""
        from ordernotify.stack.discovery import find_names

        told = {row.field for row in NAME_ROWS if row.option in self.told.values}
        return find_names(cloud, self.told_names, told, self.stack)

    def cloud(self) -> Cloud:
        """Open the place where the stack lives and say on stderr which one it is.

        Starts the embedded cloud if it is needed and not running.
        """
        from ordernotify import render

        cloud = self.reopened()
        render.location(cloud, self.stack)
        return cloud

    def reopened(self) -> Cloud:
        """Open the place without a word about it."""
        from ordernotify import render
        from ordernotify.aws.session import aws_cloud, local_cloud

        if self.target is Target.AWS:
            return aws_cloud(self.region, self.profile)
        from ordernotify.local import cloud as local

        return local_cloud(local.ensure_running(tell=render.note).endpoint, self.region)


def run_from(context: typer.Context, config: Path | None, *, verbose: bool, bears_faults: bool) -> Run:
    """Read what is told by the command line, the environment and the file; raises UsageError.

    With `bears_faults`, what is wrong with the last two is kept in the run's `faults`.
    """
    flags = {
        row.option: context.params[name]
        for row in ROWS
        if (name := row.option.replace("-", "_")) in context.params and _is_flag(context, name)
    }
    _begin_command(context, flags)
    told, faults = Told.by_flags(flags), list[UsageError]()
    for read in (partial(told_by_environment, os.environ), partial(_file, context, config)):
        try:
            told = told.over(read())
        except UsageError as fault:
            if not bears_faults:
                raise
            faults.append(fault)
    place = Place(**told.read(PLACE_ROWS))
    if place.profile and not place.aws:
        error = UsageError(
            "a profile is for a stack in an AWS account", "Add --aws, or leave out the profile."
        )
        raise told.located(error, "profile")
    try:
        names = Names(**told.read(NAME_ROWS)).for_stack(place.stack)
    except SettingsError as error:
        raise told.located(error) from None
    return Run(
        stack=place.stack,
        told_names=names,
        target=Target.AWS if place.aws else Target.LOCAL,
        region=place.region,
        profile=place.profile,
        verbose=verbose,
        flags=flags,
        told=told,
        config=config or DEFAULT_FILE,
        faults=tuple(faults),
    )


def _begin_command(context: typer.Context, flags: Mapping[str, Any]) -> None:
    from ordernotify.render.hints import begin_command

    of_place = {row.option for row in (*PLACE_ROWS, *NAME_ROWS)}
    place = {option: value for option, value in flags.items() if option in of_place}
    if _is_flag(context, "config"):
        place["config"] = context.params["config"]
    begin_command(place, {option: value for option, value in flags.items() if option not in of_place})


def _is_flag(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _file(context: typer.Context, config: Path | None) -> Told:
    """Read the settings file; one that was not named, or that is to be made, need not exist."""
    path = config or DEFAULT_FILE
    makes_it = (context.params.get("save") or context.info_name == "init") and path.parent.is_dir()
    if not path.exists() and (config is None or makes_it):
        return Told()
    return told_by_file(path)


def command(
    app: typer.Typer,
    name: str,
    extra: Mapping[str, tuple[Any, Any]] | None = None,
    *,
    bears_faults: bool = False,
    **options: Any,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose function takes a `Run` first; the common options are added to its own.

    Every command has the same ones. `extra` adds options of settings. Neither is passed to the function: it
    reads them from its `Run`. One that `bears_faults` runs although the settings file cannot be read.
    """
    added = {**(extra or {}), **COMMON_OPTIONS}

    def register(function: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
        own = [
            parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in list(signature.parameters.values())[1:]
        ]
        common = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, (annotation, default) in added.items()
        ]

        @functools.wraps(function)
        def invoke(context: typer.Context, **values: Any) -> None:
            from ordernotify import render

            render.configure(quiet=values["quiet"], color=values["color"])
            config, verbose = values["config"], bool(values["verbose"])
            given = {parameter.name: values[parameter.name] for parameter in own}

            def call() -> None:
                run = run_from(context, config, verbose=verbose, bears_faults=bears_faults)
                try:
                    function(run, **given)
                except StackNotFoundError as error:
                    raise _explained(error, run) from error

            with_errors_shown(verbose, call)

        keyword_only = inspect.Parameter.KEYWORD_ONLY
        first = inspect.Parameter("context", keyword_only, annotation=typer.Context)
        parameters = [first, *sorted([*own, *common], key=_is_common)]
        invoke.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        invoke.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        panel = panel_of(name) if app is root else None
        tell(app, name, invoke, function.__doc__, rich_help_panel=panel, **options)
        return function

    return register


def _explained(error: StackNotFoundError, run: Run) -> OrderNotifyError:
    """Say in one way for all commands that the stack does not exist; other errors stay as they are."""
    from ordernotify.stack.discovery import no_stack, stacks_present

    try:
        present = stacks_present(run.reopened())
    except OrderNotifyError:
        return error  # without the permission to look, what the command saw
    return error if run.stack in present else no_stack(run.stack, present)


def _is_common(parameter: inspect.Parameter) -> bool:
    return any(
        getattr(one, "rich_help_panel", "") == COMMON_PANEL for one in parameter.annotation.__metadata__
    )


def with_errors_shown(verbose: bool, call: Callable[[], None]) -> None:
    """Make the call; show an error as a person needs it and end with its exit status.

    Ctrl-C ends with 130; a reader that closed the pipe is no error.
    """
    from ordernotify import render

    try:
        call()
        sys.stdout.flush()
    except OrderNotifyError as error:
        if verbose:
            render.traceback()
        render.error(error.message, error.hint)
        raise typer.Exit(error.exit_status) from None
    except KeyboardInterrupt:
        render.error(*INTERRUPTED)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        _drop_output()
        raise typer.Exit(0) from None
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: a sentence in place of a traceback
        if verbose:
            render.traceback()
        if isinstance(error, OSError) and (error.filename or error.errno in _OUTPUT_FAILS):
            what = error.filename or "the output"
            why = error.strerror or error
            render.error(f"could not read or write {what}: {why}", "Mend that, then run it again.")
            _drop_output()
        else:
            render.error(
                unexpected(error),
                "This is a defect of ordernotify. --verbose shows where it happened; please report it.",
            )
        raise typer.Exit(EXIT_FAILED) from None


def _drop_output() -> None:
    # The interpreter flushes stdout once more at its end; that must not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
