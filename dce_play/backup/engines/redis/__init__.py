"""Class B: a Redis server's snapshot, proven to be of our own save, with its keys counted."""
