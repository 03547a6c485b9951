"""The sending side: episodes, the spool they wait in, and the client that puts them to a receiver."""
