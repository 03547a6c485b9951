"""The loops of the two services, shipper and receiver: cores put together, with signals and the service manager."""
