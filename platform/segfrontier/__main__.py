"""`python -m segfrontier`: the command line where the code is there and nothing was installed, as in a job of Ray."""

from segfrontier.cli import program

if __name__ == "__main__":
    program()
