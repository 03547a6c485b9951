"""Steps of shipping: a lab host's pass, its quarantine, and the receiver's store."""
