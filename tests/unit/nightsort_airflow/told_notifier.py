"""Notifiers that remember what they were told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseNotifier

if TYPE_CHECKING:
    from airflow.sdk import Context


class ToldNotifier(BaseNotifier):
    template_fields = ("text",)
    told: ClassVar[list[str]] = []

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Context) -> None:
        self.told.append(self.text)


class WithAMessage(BaseNotifier):
    template_fields = ("message",)

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def notify(self, context: Context) -> None:
        ToldNotifier.told.append(self.message)


class OnlyAsync(BaseNotifier):
    async def async_notify(self, context: Context) -> None:
        raise AssertionError(context)


class NotANotifier:
    def __call__(self, context: Any) -> None:
        raise AssertionError(context)
