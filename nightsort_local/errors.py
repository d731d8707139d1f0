"""What the local stack says when it cannot go on."""


class StackError(Exception):
    """The local stack cannot do what it was asked; the message says what, where, and what to do about it."""
