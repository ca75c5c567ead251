"""The solvers that the projections are measured against, each behind one function that returns a `PeerRun`.

SciPy and Clarabel come with the package. The others are optional::

    .venv/bin/python -m pip install -c constraints.txt cyipopt
    .venv/bin/python -m pip install --no-deps pygranso

cyipopt compiles against IPOPT's development files (Debian: coinor-libipopt-dev and pkg-config); its
speed depends on the BLAS library that IPOPT finds (libopenblas0 beats Debian's reference libblas3 by 1.7 times at width
128 and 7 times at width 16). PyGRANSO's releases name no requirements; it runs on torch and osqp (which cvxpy brings), see `benchmarks.peers.pygranso`.
"""
