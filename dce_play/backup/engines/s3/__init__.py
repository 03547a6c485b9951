"""Object stores: a bucket streamed into a tar with an index, and put back from it."""
