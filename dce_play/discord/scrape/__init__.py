"""One target's scrape: cursor, export, checks, append, clean-up."""
