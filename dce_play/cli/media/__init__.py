"""``dce-play media``: the bytes behind the URLs that channel files name."""
