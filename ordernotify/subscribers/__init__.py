"""Who gets the notifications: subscribe, unsubscribe and list, by endpoint."""

from ordernotify.resources.filter_policy import Scope
from ordernotify.resources.sandbox import SANDBOX_CALLS, sandbox_notice
from ordernotify.subscribers.change import Action, Outcome, change_calls, subscribe, unsubscribe
from ordernotify.subscribers.endpoints import Endpoint, Wanted, parse_endpoint, parse_wanted
from ordernotify.subscribers.topic import (
    Listed,
    list_subscribers,
    remember_requests,
    request_calls,
)

__all__ = [
    "SANDBOX_CALLS",
    "Action",
    "Endpoint",
    "Listed",
    "Outcome",
    "Scope",
    "Wanted",
    "change_calls",
    "list_subscribers",
    "parse_endpoint",
    "parse_wanted",
    "remember_requests",
    "request_calls",
    "sandbox_notice",
    "subscribe",
    "unsubscribe",
]
