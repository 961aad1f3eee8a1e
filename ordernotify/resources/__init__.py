"""One module per kind of resource, each with the same verbs; `base` says what they mean."""
