"""``python -m dysk``: the command line, where the ``dysk`` script is not on the path."""

from dysk.cli import main

if __name__ == "__main__":
    main()
