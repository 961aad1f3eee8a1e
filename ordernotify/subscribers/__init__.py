"""Who gets the notifications: subscribe, unsubscribe and list, by endpoint."""

from ordernotify.resources.filter_policy import Scope
from ordernotify.subscribers.change import Action, Outcome, change_permissions, subscribe, unsubscribe
from ordernotify.subscribers.endpoints import Endpoint, Wanted, parse_endpoint, parse_wanted
from ordernotify.subscribers.sandbox import SANDBOX_PERMISSIONS, sandbox_notice
from ordernotify.subscribers.topic import (
    Listed,
    list_subscribers,
    release_permissions,
    release_receivers,
    remember_requests,
    request_permissions,
)

__all__ = [
    "SANDBOX_PERMISSIONS",
    "Action",
    "Endpoint",
    "Listed",
    "Outcome",
    "Scope",
    "Wanted",
    "change_permissions",
    "list_subscribers",
    "parse_endpoint",
    "parse_wanted",
    "release_permissions",
    "release_receivers",
    "remember_requests",
    "request_permissions",
    "sandbox_notice",
    "subscribe",
    "unsubscribe",
]
