"""What stands between double braces: the sandbox, filters, and types of expressions."""
