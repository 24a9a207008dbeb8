"""Where a convex function on many rays reaches a level: Newton's method, by values alone, first guesses."""
