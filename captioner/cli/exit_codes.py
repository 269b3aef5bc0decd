"""How commands exit that neither finished nor failed; faults bring codes of their own."""

FINISHED_WITH_FAILURES = 3  # such as photographs that could not be read
