"""A stack as a whole: where it is, how it is doing, and the proof that it works."""
