"""Channel files shown to people and programs: counts, tables, one consistent stream."""
