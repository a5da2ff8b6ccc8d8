"""The machine: processes, workers, memory."""
