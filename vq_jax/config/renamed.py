"""Fields that have moved, so that old command lines and old runs keep their meaning."""

RENAMED = {
    "eval": "evaluations.reconstruction",
    "image_every": "evaluations.pictures.every",
}


def current_path(path: str) -> str:
    """The path of a field today, for one of today or of before."""
    for old, new in RENAMED.items():
        if path == old or path.startswith(f"{old}."):
            return new + path.removeprefix(old)
    return path
