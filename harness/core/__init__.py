"""The words of the project: recipes, spaces, records, findings. No torch, pandas or sklearn."""
