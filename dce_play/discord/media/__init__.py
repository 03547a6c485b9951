"""Media fetched, matched, exported: from the URLs that channel files and pages name to the store."""
