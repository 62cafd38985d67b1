"""A definition as written: the grammar's model together with the places and order of its parts."""

from collections.abc import Iterator
from dataclasses import dataclass

from onboarding.language.grammar import Common, FileModel, HookCommon, RequestCommon, StageModel, StepModel
from onboarding.language.model import ItemKind
from onboarding.language.places import Document, Path

KIND_KEYS: dict[str, ItemKind] = {
    "requests": ItemKind.REQUEST,
    "tasks": ItemKind.TASK,
    "approvals": ItemKind.APPROVAL,
    "events": ItemKind.EVENT,
    "hooks": ItemKind.HOOK,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as written, and where."""

    path: Path
    stage: StageModel
    kind: ItemKind
    item: StepModel


@dataclass(frozen=True, slots=True)
class Source:
    """A file that fits the grammar; `document` holds the same data with its places."""

    file: FileModel
    document: Document

    def stages(self) -> Iterator[tuple[Path, StageModel]]:
        """Stages with their paths, in file order."""
        for index, stage in enumerate(self.file.stages):
            yield ("stages", index), stage

    def items_of(self, index: int) -> Iterator[Entry]:
        """The items of one stage, in file order."""
        stage = self.file.stages[index]
        written = self.document.get(("stages", index))
        for key in written if isinstance(written, dict) else ():
            if key in KIND_KEYS:
                for number, item in enumerate(getattr(stage, key)):
                    yield Entry(("stages", index, key, number), stage, KIND_KEYS[key], item)

    def entries(self) -> Iterator[Entry]:
        """All items, in file order."""
        for index in range(len(self.file.stages)):
            yield from self.items_of(index)

    def default(self, kind: ItemKind) -> Common | RequestCommon | HookCommon:
        """What the file takes where an item of this kind says nothing."""
        defaults: dict[ItemKind, Common] = {
            ItemKind.REQUEST: self.file.defaults.request,
            ItemKind.TASK: self.file.defaults.task,
            ItemKind.APPROVAL: self.file.defaults.approval,
            ItemKind.EVENT: self.file.defaults.event,
            ItemKind.HOOK: self.file.defaults.hook,
        }
        return defaults[kind]
