"""The one S3 client of the house: listing, reading, conditional writing, each byte checked both ways."""
