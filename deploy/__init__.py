"""Programs around the server: before a release, in a container, when dependencies are pinned."""
