"""What the command `invex` starts: the book's command line, or one line that names the extra it needs."""

import sys


def main() -> None:
    """Run the command line; where the book's packages are not installed, say how to get them."""
    try:
        from invex.press.cli import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "invex":
            raise
        sys.exit(
            f"invex: the command needs {error.name}, which comes with the book: pip install 'invex[book]' "
            "(the library itself works without)"
        )
    app()
