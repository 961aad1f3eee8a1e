"""`python -m ordernotify`."""

from ordernotify.cli import main

main()
