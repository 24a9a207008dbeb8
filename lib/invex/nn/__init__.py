"""Networks, initialisations, bijections and their training."""
