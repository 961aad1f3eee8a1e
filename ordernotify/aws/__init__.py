"""The session with its clients, AWS's errors, and waiting: everything that botocore needs to be told."""
