"""The tests, one thread a process: pytest-xdist runs as many processes as there are cores."""

import os

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
for name in THREADS:  # before NumPy is imported, which reads them
    os.environ.setdefault(name, "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
