"""Steps of a scrape."""
