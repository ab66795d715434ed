"""The guard: which calls agents may make, and in what order."""
