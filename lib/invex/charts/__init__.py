"""Drawing functions, one module a chapter: arrays and data frames in, a matplotlib figure out."""
