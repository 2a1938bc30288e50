"""Litestar without what it brings along for models of pydantic and attrs, of which LiqPass has none."""

from litestar import Litestar
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin


class PlainLitestar(Litestar):
    """It imports pydantic where that is installed, as it is for Typer and eth-account: 60 ms until `serve`
    answers, and 8 MB from then on."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]
