"""That files only grew: snapshots, fingerprints, comparisons."""
