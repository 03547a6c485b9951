"""What lint found, in the forms that build servers and editors read."""
