"""The errors of the local stack."""


class StackError(Exception):
    """A command of the local stack failed; the message has the problem, its place and the remedy."""


class StillStartingError(StackError):
    """A component makes no progress, but has not ended. What was started stays up."""


class StillRunningError(StackError):
    """A run has not ended within the time that the command waits. The run itself goes on."""
