"""A request's body on its way: read, hashed, written, verified."""
