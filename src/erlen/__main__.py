"""Floor 8: ``python -m erlen``, the same as the ``erlen`` command."""

from erlen.cli.main import main

if __name__ == "__main__":
    main()
