"""Fuzzing: valid files are damaged in many ways and read; each must give what it holds, or one clear error."""
