"""collegium: a page of agent papers where every paper runs."""
