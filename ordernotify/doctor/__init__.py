"""What would go wrong, before it does: one small check for each cause."""
