"""Writes a migration for what the tables have become: `python tools/make_migration.py "the sentence that says what"`.

It compares the tables of `storage` with what the migrations make so far, in a database of a moment. Read what it writes: a new
column that may not be empty needs a value for the rows that are there.
"""

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from alembic import command
from sqlalchemy import create_engine

from storage import schema


def main(sentence: str) -> None:
    """Makes the file and says its name."""
    number = f"{int(schema.head()) + 1:04}" if schema.known() else "0001"
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/moment.sqlite")
        with engine.begin() as connection:
            config = schema.configuration(connection)
            config.set_main_option("file_template", "r%%(rev)s_%%(slug)s")
            if schema.known():
                command.upgrade(config, "head")
            script = command.revision(config, sentence, autogenerate=True, rev_id=number)
        engine.dispose()
    assert script is not None
    assert not isinstance(script, list)
    path = Path(script.path)
    path.write_text(re.sub(r"    # ### .*\n", "", path.read_text(encoding="utf-8")), encoding="utf-8")
    print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    main(sys.argv[1])
