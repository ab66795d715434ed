"""The page types of the workshop, their templates and their search."""
