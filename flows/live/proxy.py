"""Proxy: what sockets and requests to the exchanges go through, and who says so to it."""

from typing import NamedTuple

import aiohttp

from flows.settings.tree import Live


class Proxy(NamedTuple):
    """An address without a login in it, which error lines show, and the headers that it gets besides."""

    url: str | None
    headers: dict[str, str] | None


def proxy_of(settings: Live) -> Proxy:
    """The one of the settings, if there is one.

    >>> proxy_of(Live())
    Proxy(url=None, headers=None)
    >>> proxy_of(Live(proxy="http://a:3128", proxy_user="me")).headers
    {'Proxy-Authorization': 'Basic bWU6'}
    """
    if not settings.proxy_user:
        return Proxy(settings.proxy or None, None)
    login = aiohttp.encode_basic_auth(settings.proxy_user, settings.proxy_password.reveal())
    return Proxy(settings.proxy, {"Proxy-Authorization": login})
