"""What needs the network says so before it goes."""

from __future__ import annotations

import sys


def say_fetching(what: str, client: str) -> None:
    """Tell the user that `client`, the registry's own, is about to fetch `what`."""
    print(f"{client} fetches {what} from the network, once.", file=sys.stderr, flush=True)
