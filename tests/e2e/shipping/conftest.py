"""What tests of shipping share."""

from tests.support.shipping_fixtures import host, receiver

__all__ = ["host", "receiver"]
