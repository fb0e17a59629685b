"""IR as text: reading it fast, reading what other versions wrote, printing it, and saying what is wrong with it."""
