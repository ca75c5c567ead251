"""The solvers that the projections are measured against, each behind one function that returns a `PeerRun`.

SciPy and Clarabel come with the package. The others are optional::

    .venv/bin/python -m pip install -c constraints.txt cyipopt
    .venv/bin/python -m pip install --no-deps pygranso

cyipopt compiles against IPOPT's development files (Debian: coinor-libipopt-dev and pkg-config). PyGRANSO's releases name no
requirements; it runs on torch and osqp (which cvxpy brings), see `benchmarks.peers.pygranso`.
"""
