"""`python -m invex.press.cli`, for where the command `invex` is not on the path."""

from invex.press.cli import app

app()
