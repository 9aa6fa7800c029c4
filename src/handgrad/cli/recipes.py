"""`handgrad recipes`: what can be trained."""

from typing import Annotated

import typer

from handgrad.cli.console import output_console


def command(
    name: Annotated[str | None, typer.Argument(help="Show this recipe with every value.")] = None,
) -> None:
    """List the recipes, or show one with every value that the command line can change."""
    from rich.table import Table

    from handgrad.training.recipe import Recipe, recipe_names

    console = output_console()
    if name is not None:
        _show(Recipe.load(name))
        return
    table = Table("recipe", "what it trains", box=None, pad_edge=False, header_style="bold")
    for known in recipe_names():
        default = " (default)" if known == "fast" else ""
        table.add_row(f"[cyan]{known}[/]", Recipe.load(known).summary + default)
    console.print(table)
    console.print(
        "\nTrain one: [bold]python -m handgrad train NAME[/]; see one: [bold]python -m handgrad recipes NAME[/]"
    )


def _show(recipe: "Recipe") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Every value by the name that `--set` takes."""
    from handgrad.training.recipe import as_toml

    for table, values in recipe.to_dict().items():
        if isinstance(values, dict):
            for key, value in values.items():
                typer.echo(f"{table}.{key} = {as_toml(value)}")
        else:
            typer.echo(f"{table} = {as_toml(values)}")
