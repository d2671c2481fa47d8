"""The catalogue: which plans there are, and what each takes."""
