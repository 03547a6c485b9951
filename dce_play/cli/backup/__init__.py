"""``dce-play backup``: the verbs, thin over the core."""
