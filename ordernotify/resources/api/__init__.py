"""The API in front of the function and what belongs to it: one kind a file."""
