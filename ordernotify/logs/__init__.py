"""Read and follow the log events of a stack without losing any, and tell the story of one order."""
