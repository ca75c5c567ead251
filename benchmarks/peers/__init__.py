"""The solvers that the projections are measured against, each behind one function that returns a `PeerRun`.

SciPy and Clarabel come with the package. The others are optional::

    .venv/bin/python -m pip install -c constraints.txt cyipopt
    .venv/bin/python -m pip install --no-deps pygranso
    .venv/bin/python -m pip install --no-deps pyhessian

cyipopt compiles against IPOPT's development files (Debian: coinor-libipopt-dev and pkg-config). IPOPT's speed
depends on the BLAS library it finds: with libopenblas0 instead of Debian's reference libblas3 one projection took 25 s
instead of 42 s at width 128, and 1.8 s instead of 13 s at width 16. PyGRANSO's releases name no requirements; it runs
on torch and osqp (which cvxpy brings), see `benchmarks.peers.pygranso`.
"""
