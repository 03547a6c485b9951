"""Channel files: read, append, merge, salvage, audit, prove."""
