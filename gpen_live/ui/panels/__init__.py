"""The panel's groups, one file each, in the order of a frame's way: source, enhance, output."""
