"""`init`: a person's first settings file, from a few questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ordernotify.cli import app, questions
from ordernotify.cli.questions import ask
from ordernotify.cli.run import Run, command
from ordernotify.errors import AwsError, UsageError
from ordernotify.settings.checks import check_email, check_phone
from ordernotify.settings.model import Auth, Settings
from ordernotify.settings.names import Target
from ordernotify.settings.told import Told, describe

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud

ORDERS_PER_DAY = 100
_AUTH = {"public": Auth.NONE, "key": Auth.API_KEY}


@command(app, "init")
def init(run: Run) -> None:
    """Ask where the stack is to live and who may use it, and write the settings file; nothing else is made.

    It asks on a terminal only, and not for what options and variables say. A file that exists is not changed.

    Example: ordernotify init
    """
    if not questions.at_terminal():
        raise UsageError(
            "init asks questions, and there is no terminal to ask at",
            "Give the answers as options: `ordernotify setup --email you@example.com --save` makes the stack "
            "and writes the file; --aws, --profile, --region and --auth say the rest.",
        )
    if run.config.exists():
        raise UsageError(
            f"{run.config} exists, and init changes no file",
            "Edit it, give options to `ordernotify setup --save`, or choose another file with --config.",
        )
    from ordernotify.render import setup as screen
    from ordernotify.settings.file import save_settings

    place, cloud = _place(run)
    told = {**run.told.values, **place}
    told |= _receiver() if not told.keys() & {"email", "phone"} else {}
    told |= {"auth": str(_auth())} if "auth" not in told else {}
    settings = describe(run.stack, run.told_names, Told(told))
    screen.show_outlook(_kinds(settings, cloud), cloud, _usd_a_month(settings, cloud), ORDERS_PER_DAY)
    save_settings(run.config, told)
    screen.show_written(run.config)


def _place(run: Run) -> tuple[Mapping[str, Any], Cloud]:
    """Ask for the place; an account that does not answer is told, and the place asked for again."""
    from ordernotify.aws.session import local_cloud
    from ordernotify.local.cloud import status
    from ordernotify.render import error, note

    while True:
        if "aws" in run.told.values:
            aws = run.target is Target.AWS
        else:
            note(
                "The stack can live on this machine (local), which costs nothing, or in an AWS account (aws)."
            )
            aws = ask("local or aws [local]", _one_of({"local": False, "aws": True}, "local"))
        if not aws:
            return {"aws": False}, local_cloud(status().endpoint, run.region)
        try:
            return _account(run.profile, run.region)
        except AwsError as failed:
            if "aws" in run.told.values:
                raise
            error(failed.message, failed.hint)


def _account(profile: str | None, region: str | None) -> tuple[Mapping[str, Any], Cloud]:
    """Ask for profile and region if they are missing, and show the account; raises AwsError without one."""
    from ordernotify.aws.session import aws_cloud, check_region, default_region, known_profiles
    from ordernotify.render import note

    profiles = known_profiles()
    if profile is None and profiles:
        words = ", ".join(profiles)
        profile = ask(f"AWS profile ({words}), or Enter for what the shell says", _profile(profiles))
    if region is None:
        usual = default_region(profile)

        def read(line: str) -> str:
            check_region(line or usual)
            return line or usual

        region = ask(f"AWS region [{usual}]" if usual else "AWS region, such as us-east-1", read)
    cloud = aws_cloud(region, profile)
    note(f"This is account {cloud.account}, {region}.")
    return {"aws": True, "region": region, **({"profile": profile} if profile else {})}, cloud


def _profile(known: list[str]) -> Callable[[str], str | None]:
    def read(line: str) -> str | None:
        if line and line not in known:
            raise UsageError(f"there is no profile {line!r}", f"The profiles are: {', '.join(known)}.")
        return line or None

    return read


def _one_of(choices: Mapping[str, Any], usual: str) -> Callable[[str], Any]:
    def read(line: str) -> Any:
        if line and line.lower() not in choices:
            raise UsageError(
                f"{line!r} is not one of them", f"Type {' or '.join(choices)}; Enter is {usual}."
            )
        return choices[line.lower() or usual]

    return read


def _receiver() -> Mapping[str, Any]:
    return ask("Email address or phone number that gets the orders, or Enter for none", _read_receiver)


def _read_receiver(line: str) -> Mapping[str, Any]:
    if not line:
        return {}
    if line.startswith("+") or line.isdigit():
        check_phone(line)
        return {"phone": [line]}
    check_email(line)
    return {"email": [line]}


def _auth() -> Auth:
    from ordernotify.render import note

    note("Orders can come from everybody who knows the URL (public), or from clients with an API key (key).")
    found: Auth = ask("public or key [public]", _one_of(_AUTH, "public"))
    return found


def _kinds(settings: Settings, cloud: Cloud) -> Counter[str]:
    """Count what setup makes where nothing exists yet, by kind; nothing is asked of the place."""
    from ordernotify import provision

    return Counter(one.kind for one in provision.declare(settings, cloud) if one.wanted)


def _usd_a_month(settings: Settings, cloud: Cloud) -> float:
    from ordernotify.stack.cost import estimate

    if cloud.target is Target.LOCAL:
        return 0.0
    receivers = {"email": len(settings.emails), "sms": len(settings.phones)}
    return sum(line.usd for line in estimate(settings, receivers, ORDERS_PER_DAY))
