"""``python -m collegium.cli`` is the command ``collegium``."""

from collegium.cli import main

if __name__ == "__main__":
    main()
