"""The long-running services: the shipper and the receiver, each a loop over its core."""
