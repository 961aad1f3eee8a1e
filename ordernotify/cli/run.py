"""What all commands share: the common options, opening the cloud, and what a person sees of an error."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from ordernotify.errors import EXIT_FAILED, EXIT_INTERRUPTED, OrderNotifyError, UsageError
from ordernotify.settings.file import DEFAULT_FILE, read_settings, settings_from_environment
from ordernotify.settings.model import Settings, describe
from ordernotify.settings.names import (
    DEFAULT_STACK,
    Names,
    Target,
    check_stack_name,
)

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud

_COMMON = "Common options"
_NAMES = "Names"
_TAKES_SETTINGS = "setup"
"""The command whose own options are the settings; elsewhere an option of the same name is another thing."""


def _load_config(context: typer.Context, path: Path | None) -> Path | None:
    """Read the settings file before the other options, as their defaults: flag, environment, file."""
    if context.resilient_parsing or (path is None and not DEFAULT_FILE.exists()):
        return path
    try:
        values = read_settings(path or DEFAULT_FILE)
    except OrderNotifyError as error:
        with_errors_shown(False, functools.partial(_raise, error))
        raise
    context.obj = values
    context.default_map = {
        option.replace("-", "_"): value
        for option, value in values.items()
        if context.info_name == _TAKES_SETTINGS or option in _COMMON_NAMES
    }
    return path


def _raise(error: OrderNotifyError) -> None:
    raise error


_Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="ORDERNOTIFY_CONFIG",
        help="The settings file.",
        show_default="ordernotify.toml, where it exists",
        is_eager=True,
        callback=_load_config,
        rich_help_panel=_COMMON,
        show_envvar=False,
    ),
]
_Stack = Annotated[
    str,
    typer.Option(
        "--stack",
        envvar="ORDERNOTIFY_STACK",
        help="The stack's name.",
        rich_help_panel=_COMMON,
        show_envvar=False,
    ),
]
_Aws = Annotated[
    bool,
    typer.Option(
        "--aws",
        envvar="ORDERNOTIFY_AWS",
        help="Use the AWS account, not this machine.",
        rich_help_panel=_COMMON,
        show_envvar=False,
    ),
]
_Region = Annotated[
    str | None,
    typer.Option(
        "--region",
        envvar="ORDERNOTIFY_REGION",
        help="The AWS region.",
        rich_help_panel=_COMMON,
        show_envvar=False,
    ),
]
_Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        envvar="ORDERNOTIFY_PROFILE",
        help="The AWS profile.",
        rich_help_panel=_COMMON,
        show_envvar=False,
    ),
]
_Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        envvar="ORDERNOTIFY_VERBOSE",
        help="Show the traceback of an error.",
        rich_help_panel=_COMMON,
        show_envvar=False,
    ),
]


def _name_option(what: str) -> Any:
    return Annotated[
        str | None,
        typer.Option(
            f"--{what}-name",
            envvar=f"ORDERNOTIFY_{what.upper()}_NAME",
            help=f"The {what}'s name.",
            rich_help_panel=_NAMES,
            hidden=True,
        ),
    ]


JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        envvar="ORDERNOTIFY_JSON",
        help="Print the result as JSON.",
        rich_help_panel=_COMMON,
        show_envvar=False,
    ),
]
"""For the commands that return something; everything else goes to stderr."""

_COMMON_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "config": (_Config, None),
    "stack": (_Stack, DEFAULT_STACK),
    "aws": (_Aws, False),
    "region": (_Region, None),
    "profile": (_Profile, None),
    "verbose": (_Verbose, False),
}
_NAME_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    f"{name.name}_name": (_name_option(name.name), None) for name in fields(Names)
}
_COMMON_NAMES = {name.replace("_", "-") for name in (*_COMMON_OPTIONS, *_NAME_OPTIONS)}


@dataclass(frozen=True, slots=True)
class Run:
    """One invocation of a command: which stack, where it lives, and how to open that place."""

    stack: str
    names: Names
    target: Target
    region: str | None
    profile: str | None
    verbose: bool
    told: Mapping[str, Any]
    """The command's extra options, by option name."""
    context: typer.Context
    config: Path
    """The settings file, whether it exists or not."""

    def settings(self, recorded: Mapping[str, Any]) -> Settings:
        """Describe the stack without flags: the environment, then the file, then what `setup` recorded."""
        told = {**(self.context.obj or {}), **settings_from_environment(os.environ)}
        return describe(self.stack, self.names, told, recorded)

    def given(self) -> dict[str, Any]:
        """Return the options that were given as flags on this command line, by option name."""
        return {
            name.replace("_", "-"): value
            for name, value in self.context.params.items()
            if self.context.get_parameter_source(name).name == "COMMANDLINE"  # type: ignore[union-attr]
        }

    def cloud(self) -> Cloud:
        """Open the place where the stack lives and say on stderr which one it is.

        Starts the embedded cloud if it is needed and not running.
        """
        from ordernotify import render
        from ordernotify.aws.session import aws_cloud, local_cloud

        if self.target is Target.LOCAL:
            from ordernotify.local import cloud as local

            cloud = local_cloud(local.ensure_running(tell=render.note).endpoint, self.region)
        else:
            cloud = aws_cloud(self.region, self.profile)
        render.location(cloud, self.stack)
        return cloud


def _run_from(context: typer.Context, told: Mapping[str, Any], values: dict[str, Any]) -> Run:
    common = {name: values.pop(name) for name in _COMMON_OPTIONS}
    given = {name.removesuffix("_name"): values.pop(name) for name in _NAME_OPTIONS}
    check_stack_name(common["stack"])
    if not common["aws"] and common["profile"]:
        raise UsageError("--profile is for a stack in an AWS account", "Add --aws, or leave --profile away.")
    names = Names(**{name: value for name, value in given.items() if value}).for_stack(common["stack"])
    return Run(
        stack=common["stack"],
        names=names,
        target=Target.AWS if common["aws"] else Target.LOCAL,
        region=common["region"],
        profile=common["profile"],
        verbose=common["verbose"],
        told=told,
        context=context,
        config=common["config"] or DEFAULT_FILE,
    )


def command(
    app: typer.Typer, name: str, extra: Mapping[str, tuple[Any, Any]] | None = None, **options: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose function takes a `Run` first; the common options are added to its own.

    The options are spelled once, here, and every command has the same ones. `extra` adds more options, which
    are not passed to the function: it reads them as `run.told`.
    """
    added = {**(extra or {}), **_COMMON_OPTIONS, **_NAME_OPTIONS}

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
            verbose = bool(values["verbose"])
            told = {key.replace("_", "-"): values.pop(key) for key in extra or ()}
            with_errors_shown(verbose, lambda: function(_run_from(context, told, values), **values))

        keyword_only = inspect.Parameter.KEYWORD_ONLY
        parameters = [inspect.Parameter("context", keyword_only, annotation=typer.Context), *own, *common]
        invoke.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        invoke.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, **options)(invoke)
        return function

    return register


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
        render.error("interrupted", "Run the same command again; it continues where it stopped.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        _drop_output()
        raise typer.Exit(0) from None
    except OSError as error:
        # Mostly a full disk behind stdout; what has no name is the output itself.
        what = error.filename or "the output"
        render.error(
            f"could not read or write {what}: {error.strerror or error}", "Make room, then run it again."
        )
        _drop_output()
        raise typer.Exit(EXIT_FAILED) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: a sentence in place of a traceback
        if verbose:
            render.traceback()
        render.error(
            f"unexpected {type(error).__name__}: {error}",
            "This is a defect of ordernotify. --verbose shows where it happened; please report it.",
        )
        raise typer.Exit(EXIT_FAILED) from None


def _drop_output() -> None:
    # The interpreter flushes stdout once more at its end; that must not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
