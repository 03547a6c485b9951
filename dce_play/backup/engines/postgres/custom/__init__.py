"""The custom format: a tar of the globals and one dump for each database, made, listed and checked."""
