"""What a person can set: the settings, the names made from them, and the settings file."""
