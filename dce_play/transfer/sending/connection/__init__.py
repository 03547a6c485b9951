"""Talking with the receiver: requests and uploads over TLS, what came of them, and what that means."""
