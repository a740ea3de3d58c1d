"""Tools of the repository, not of the package: how the shipped models and scenes were made."""
