"""How a mistake of the user is told."""


class UserError(Exception):
    """A mistake that the user can mend.

    The message is complete in itself: it names the file, row or field, says what was wrong and what
    to do. Command lines print it as ``error: ...`` and exit with status 2, without a stack trace.
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of a stack trace; IPython asks for it by this name."""
        return [f"error: {self}"]
