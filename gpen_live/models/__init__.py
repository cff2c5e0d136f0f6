"""Models and their weights: which there are, where they lie, how they come here and how they are read.

Modules:
    registry: every model by name, and where its file belongs.
    files: weights files as data, never as code.
    fetch: download, verification and what is installed.
"""
