"""Who gets the notifications: subscribe, unsubscribe and list, by endpoint."""

from ordernotify.filter_policy import Scope
from ordernotify.subscribers.change import Action, Outcome, subscribe, unsubscribe
from ordernotify.subscribers.endpoints import Endpoint, Wanted, parse_endpoint, parse_wanted
from ordernotify.subscribers.sandbox import sandbox_notice
from ordernotify.subscribers.topic import Listed, list_subscribers, release_receivers, remember_requests

__all__ = [
    "Action",
    "Endpoint",
    "Listed",
    "Outcome",
    "Scope",
    "Wanted",
    "list_subscribers",
    "parse_endpoint",
    "parse_wanted",
    "release_receivers",
    "remember_requests",
    "sandbox_notice",
    "subscribe",
    "unsubscribe",
]
