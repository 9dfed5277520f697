"""The measured comparisons: each a ratio against a named peer, in one run, by medians of interleaved runs."""
