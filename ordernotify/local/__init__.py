"""The embedded cloud on this machine, and the inbox of what its subscribers got."""
