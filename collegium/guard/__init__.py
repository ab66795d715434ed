"""Guards: what keeps agent programs in order, before they run and while they do."""
