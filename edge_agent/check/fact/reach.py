"""Whether something answers at a place in the network."""

import errno
import socket

from edge_agent.check.fact.scene import Reach

CONNECT_S = 2.0


def reach(host: str, port: int, seconds: float = CONNECT_S) -> Reach:
    """Connect and leave at once; nothing is sent."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return Reach("name")
    address = str(found[0][4][0])
    try:
        socket.create_connection((address, port), seconds).close()
    except ConnectionRefusedError:
        return Reach("refused", address)
    except TimeoutError:
        return Reach("silent", address)
    except OSError as error:
        is_silent = error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)
        return Reach("silent" if is_silent else error.strerror or str(error), address)
    return Reach(None, address)
