"""Checks of this machine: what is installed, the settings, the embedded cloud, the road to AWS."""

from __future__ import annotations

import os
import platform
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from ordernotify.doctor import versions
from ordernotify.doctor.case import Case, CheckState, CheckUp, Diagnosis
from ordernotify.errors import LocalCloudError, UsageError
from ordernotify.extras import install_command
from ordernotify.local import cloud as local
from ordernotify.local.saving import unsaved_since
from ordernotify.settings.names import Target

PROXY_SECONDS = 3.0
_SHOWN = ("ordernotify", "boto3", "botocore")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_versions(case: Case) -> Diagnosis:
    """Whether Python and the packages are of the versions that this package is for."""
    faults = list(versions.unmet(case.version_of, versions.requirements(), versions.python_bounds()))
    if faults:
        return Diagnosis(
            CheckState.BROKEN,
            f"not what ordernotify needs: {', '.join(faults)}",
            f"Install it again, into an environment of its own: `{install_command()}`.",
        )
    packages = ", ".join(f"{name} {case.version_of(name)}" for name in _SHOWN)
    return Diagnosis.ok(f"Python {platform.python_version()}, {packages}")


def check_settings(case: Case) -> Diagnosis:
    """Whether the settings file, the environment and the flags describe a stack that can be."""
    try:
        if case.faults:
            raise case.faults[0]
        case.describe()
    except UsageError as error:
        return Diagnosis.of(CheckState.BROKEN, error)
    told = f"told by {', '.join(case.origins)}" if case.origins else "nothing told: all defaults"
    return Diagnosis.ok(told)


def check_embedded_cloud(case: Case) -> Diagnosis:
    """Whether the embedded cloud runs, or could be started at its port."""
    try:
        found = local.status(host=case.local_host)
        if found.stuck:
            return Diagnosis(CheckState.BROKEN, found.warning, local.STUCK_HINT)
        if not found.running:
            local.check_can_launch(found.port, case.local_host)
    except (UsageError, LocalCloudError) as error:
        return Diagnosis.of(CheckState.BROKEN, error)
    if found.running:
        if found.warning:
            return Diagnosis(CheckState.WARNING, found.warning, "`ordernotify local start` restarts it.")
        return Diagnosis.ok(f"runs at {found.endpoint} (process {found.pid}, MiniStack {found.version})")
    above = next(folder for folder in (found.state_dir, *found.state_dir.parents) if folder.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        return Diagnosis(
            CheckState.BROKEN,
            f"cannot keep its state in {found.state_dir}: {above} is not writable",
            "Set XDG_STATE_HOME to a folder that is yours to write to.",
        )
    if unsaved_since(found.state_dir) is not None:
        return Diagnosis(
            CheckState.WARNING,
            "it ended without saving its last changes",
            "`ordernotify local start` says from when on they are lost.",
        )
    return Diagnosis.ok(f"not running; what needs it starts it, at {found.endpoint}")


def check_road(case: Case) -> Diagnosis:
    """Whether the proxy takes connections, and the trusted authorities can be read (AWS-FACTS 26)."""
    cloud = case.place()
    road = cloud.road_to(cloud.endpoint_for("sts"))
    if road.ca_bundle:
        try:
            _load_authorities(road.ca_bundle)
        except (OSError, ssl.SSLError) as error:
            return Diagnosis(
                CheckState.BROKEN,
                f"cannot read the certificate authorities in {road.ca_bundle}: {error.strerror or error}",
                "Correct AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE or the profile's ca_bundle: a file in PEM form.",
            )
    if road.proxy is None:
        return Diagnosis.ok(f"no proxy; certificate authorities of {road.ca_bundle or 'this machine'}")
    proxy = urlsplit(road.proxy)  # may hold a password, which is not shown
    where = proxy.hostname or "", proxy.port or _DEFAULT_PORTS.get(proxy.scheme, 80)
    try:
        socket.create_connection(where, PROXY_SECONDS).close()
    except OSError as error:
        return Diagnosis(
            CheckState.BROKEN,
            f"the proxy {where[0]}:{where[1]} takes no connection: {error.strerror or error}",
            "Correct HTTPS_PROXY, or name AWS's hosts in NO_PROXY.",
        )
    return Diagnosis.ok(f"proxy {where[0]}:{where[1]}; certificate authorities of {road.ca_bundle}")


def _load_authorities(bundle: str) -> None:
    path = Path(bundle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if path.is_dir():
        context.load_verify_locations(capath=bundle)
    else:
        context.load_verify_locations(cafile=bundle)


CHECK_UPS = (
    CheckUp("python", check_versions),
    CheckUp("settings", check_settings),
    CheckUp("embedded cloud", check_embedded_cloud, Target.LOCAL),
    CheckUp("proxy and CA", check_road, Target.AWS),
)
