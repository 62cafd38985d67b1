"""The rows of one or more turns, and the notices that go with them."""

from __future__ import annotations

from temporalio import activity

from activities.failures import told
from onboarding.crash_points import reached
from onboarding.engine.effects import WriteRecords
from onboarding.ports import Notifier, RecordStore


class RecordActivities:
    """Runs in the worker's thread pool. Every attempt may be the first, a repetition, or late."""

    def __init__(self, store: RecordStore, notifier: Notifier) -> None:
        """The door that builds the worker says who fulfils the ports."""
        self._store = store
        self._notifier = notifier

    @activity.defn(name="write_records", no_thread_cancel_exception=True)  # see Note [Threads are left alone]
    def write_records(self, records: WriteRecords) -> str:
        """Writes the rows together, which takes back what they withdraw, then delivers their notices, each once by its key.

        Answers the batch's id once it stands, or the store's word. A local activity comes before the history of its
        workflow task, so its notices wait beside the rows; `runtime/releasing.py` lets them go.
        """
        with told():
            reached("act.before_effect")
            answer = self._store.write(records)
            reached("act.after_db_commit")
            if answer == records.id and not activity.info().is_local:
                self._notifier.deliver(*records.notices)
            reached("act.after_effect")
        return answer
