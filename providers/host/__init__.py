"""Operations on any host that can be reached: run a command, put a file, open a shell."""
