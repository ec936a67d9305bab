"""`harness spaces`: what can be searched."""

from pathlib import Path
from typing import Annotated

import typer

from harness.console import print_table


def spaces(
    files: Annotated[
        list[str] | None, typer.Argument(help="Spaces to check: files, or shipped names.")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option(help="Write the JSON schema that lets editors complete a space.")
    ] = None,
) -> None:
    """List the shipped search spaces, or check and show some.

    What is doubtful in them is told, too.

    Examples: harness spaces; harness spaces my_space.yaml
    """
    from harness.core.files import write_json
    from harness.core.space import SearchSpace, describe_space, shipped_spaces
    from harness.core.space_lint import lint_file
    from harness.core.space_schema import space_schema

    if schema:
        write_json(schema.resolve(), space_schema())
        print(f"wrote {schema.resolve()}")
        return
    if not files:
        rows = [
            [space.name, space.title, ", ".join(space.parameters)]
            for space in map(SearchSpace.load, shipped_spaces().values())
        ]
        print_table(["space", "title", "searched"], rows)
        print("next: harness spaces NAME, or harness search NAME --data STORE --trials 60")
        return
    for name in files:
        space = SearchSpace.load(name)
        print(f"{space.name}: {space.title}\n{space.source}")
        rows = [list(row.values()) for row in describe_space(space)]
        print_table(["parameter", "range", "default", "when"], rows)
        for line in lint_file(name):
            print(line)
