"""Who gets the notifications: subscribe, unsubscribe and list, by endpoint."""
