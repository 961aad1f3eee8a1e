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

from ordernotify.config import DEFAULT_STACK, Names, Target, check_stack_name
from ordernotify.errors import EXIT_FAILED, EXIT_INTERRUPTED, OrderNotifyError, UsageError

if TYPE_CHECKING:
    from ordernotify.aws import Cloud

DEFAULT_CONFIG = Path("ordernotify.toml")
_COMMON = "Common options"
_NAMES = "Names"


def _load_config(context: typer.Context, path: Path | None) -> Path | None:
    """Read the settings file before the other options, as their defaults: flag, then environment, then file."""
    if context.resilient_parsing:
        return path
    if path is None and not DEFAULT_CONFIG.exists():
        return None
    import tomllib

    chosen = path or DEFAULT_CONFIG
    try:
        values = tomllib.loads(chosen.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"cannot read {chosen}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{chosen} is not valid TOML: {error}") from error
    context.default_map = {name.replace("-", "_"): value for name, value in values.items()}
    return path


_Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="ORDERNOTIFY_CONFIG",
        help="The settings file.  [default: ordernotify.toml, where it exists]",
        is_eager=True,
        callback=_load_config,
        rich_help_panel=_COMMON,
    ),
]
_Stack = Annotated[
    str,
    typer.Option("--stack", envvar="ORDERNOTIFY_STACK", help="The stack's name.", rich_help_panel=_COMMON),
]
_Aws = Annotated[
    bool,
    typer.Option(
        "--aws",
        envvar="ORDERNOTIFY_AWS",
        help="Use the AWS account, not this machine.",
        rich_help_panel=_COMMON,
    ),
]
_Region = Annotated[
    str | None,
    typer.Option("--region", envvar="ORDERNOTIFY_REGION", help="The AWS region.", rich_help_panel=_COMMON),
]
_Profile = Annotated[
    str | None,
    typer.Option("--profile", envvar="ORDERNOTIFY_PROFILE", help="The AWS profile.", rich_help_panel=_COMMON),
]
_Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        envvar="ORDERNOTIFY_VERBOSE",
        help="Show the traceback of an error.",
        rich_help_panel=_COMMON,
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
        "--json", envvar="ORDERNOTIFY_JSON", help="Print the result as JSON.", rich_help_panel=_COMMON
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


@dataclass(frozen=True, slots=True)
class Run:
    """One invocation of a command: which stack, where it lives, and how to open that place."""

    stack: str
    names: Names
    target: Target
    region: str | None
    profile: str | None
    verbose: bool

    def cloud(self) -> Cloud:
        """Open the place where the stack lives and say on stderr which one it is.

        Starts the embedded cloud if it is needed and not running.
        """
        from ordernotify import render
        from ordernotify.aws import aws_cloud, local_cloud

        if self.target is Target.LOCAL:
            from ordernotify import local

            cloud = local_cloud(local.ensure_running(tell=render.note).endpoint, self.region)
        else:
            cloud = aws_cloud(self.region, self.profile)
        render.location(cloud, self.stack)
        return cloud


def _run_from(values: dict[str, Any]) -> Run:
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
    )


def command(
    app: typer.Typer, name: str, **options: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose function takes a `Run` first; the common options are added to its own.

    The options are spelled once, here, and every command has the same ones.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
        own = [
            parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in list(signature.parameters.values())[1:]
        ]
        common = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, (annotation, default) in {**_COMMON_OPTIONS, **_NAME_OPTIONS}.items()
        ]

        @functools.wraps(function)
        def invoke(**values: Any) -> None:
            verbose = bool(values["verbose"])
            with_errors_shown(verbose, lambda: function(_run_from(values), **values))

        invoke.__signature__ = inspect.Signature([*own, *common])  # type: ignore[attr-defined]
        invoke.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *common]}
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
        # The interpreter flushes stdout once more at its end; that must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
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
