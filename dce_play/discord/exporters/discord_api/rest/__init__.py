"""Requests to Discord: one client with its limits and retries, and answers checked before they are believed."""
