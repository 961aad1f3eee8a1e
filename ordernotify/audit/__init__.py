"""Public controls, judged on the live resources of a stack."""
