import typer

guards = typer.Typer()
