"""The form of addresses that users give, checked before anything is started, made or asked for at them."""

from __future__ import annotations

from segfrontier.errors import BadInput

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does


def ray_host(address: str) -> tuple[str, int] | None:
    """Host and port of a Ray cluster's address, None for those that Ray looks up itself; BadInput for anything else."""
    if address in ("auto", "local"):
        return None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal() and int(port[:6]) < 2**16) or "://" in host or host.strip(":") != host:
        raise BadInput(
            f"the address of Ray must be HOST:PORT, ray://HOST:PORT or auto; found {address!r}. Correct --address or "
            f"RAY_ADDRESS, or give none for a Ray on this machine alone."
        )
    return host, int(port)
