"""The error of the local stack."""


class StackError(Exception):
    """A command of the local stack failed; the message has the problem, its place and the remedy."""
