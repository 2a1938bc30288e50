"""What is typed, taken as it is where nothing has to be made of it.

Typer has every value made by pydantic, the --help that nobody typed, too; and pydantic takes 60 ms to import,
and 8 MB for as long as the command runs: a tenth of either of `liqpass serve`.
"""

from enum import Enum
from typing import Any

from typer.core import TyperArgument, TyperOption


def take_as_typed() -> None:
    """From here on; what is not known here, or not taken, is Typer's to make or to refuse, in its words."""
    for kind in (TyperArgument, TyperOption):
        kind.get_runtime_param = _AsTyped.of(kind.get_runtime_param)  # type: ignore[method-assign]


class _AsTyped:
    """What Typer asks to make the value of one parameter."""

    def __init__(self, param: Any, typers_own: Any) -> None:
        self._param, self._typers_own = param, typers_own

    @classmethod
    def of(cls, typers_own: Any) -> Any:
        """In the place of the method with which a parameter finds its own."""
        return lambda param: cls(param, typers_own)

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        about = param.type_descriptor
        if param.nargs == 1 and not param.multiple and about.parameter_info.parser is None:
            if value is None:
                return None
            if (taken := _taken(value, about.annotation, about.parameter_info)) is not None:
                return taken
        return self._typers_own(self._param).coerce(value, param=param, ctx=ctx)


def _taken(value: Any, wanted: Any, limits: Any) -> Any:
    """The value as `wanted`, or None where that is not for us to say."""
    if type(value) is wanted:
        return value
    if wanted is int and isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        number = int(value)
        low, high = limits.min, limits.max
        return number if (low is None or number >= low) and (high is None or number <= high) else None
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return next((member for member in wanted if member.value == value), None)
    return None
