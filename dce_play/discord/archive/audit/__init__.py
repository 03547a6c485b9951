"""Channel files read from end to end, and what is found in them."""
