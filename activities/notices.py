"""Notices that go on their own."""

from __future__ import annotations

from temporalio import activity

from activities.failures import told
from onboarding.crash_points import reached
from onboarding.engine.effects import Notice
from onboarding.ports import Notifier


class NoticeActivities:
    """Runs in the worker's thread pool. A notice is known by its key, so that a repetition is harmless."""

    def __init__(self, notifier: Notifier) -> None:
        """The door that builds the worker says who fulfils the port."""
        self._notifier = notifier

    @activity.defn(name="deliver_notice", no_thread_cancel_exception=True)  # see Note [Threads are left alone]
    def deliver_notice(self, notice: Notice) -> bool:
        """Delivers a notice, or nothing when its key was delivered or withdrawn before. Always `True`."""
        with told():
            reached("act.before_effect")
            self._notifier.deliver(notice)
            reached("act.after_effect")
        return True
