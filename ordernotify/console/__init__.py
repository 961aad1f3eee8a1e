"""A local page for the whole system: `ordernotify console`."""
