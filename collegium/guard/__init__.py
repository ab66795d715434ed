"""Guards: what agents may do, and in what order."""
