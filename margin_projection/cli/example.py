"""The commented configuration that ``margin-projection example`` prints."""

EXAMPLE = """\
# A configuration of margin-projection. Paths are relative to this file; every key is checked, unknown ones are refused.
#   margin-projection project    --config FILE    the nearest point of a margin set, with its certificate
#   margin-projection trajectory --config FILE    the sequence of projections onto one task after the other
#   margin-projection diagnose   --config FILE    which conditions of the theory hold for the model and the tasks

[model]
kind = "squared_linear"     # linear | squared_linear | simplified_relu | fully_connected | convolutional
# dimension = 2             # length of a sample; left out, it is read off the tasks (not with source = "teacher")
#
# kind = "simplified_relu": units = 2, dimension, output_signs = [1, -1], slope = 0.0
# kind = "fully_connected": hidden = [32] or widths = [64, 32, 1], activation = "relu" | "leaky_relu" |
#   "squared_relu" | "identity" | "relu^3" | "power^2", slope = 0.01 (of leaky_relu)
# kind = "convolutional": channels = [4, 4], input_shape = [1, 8, 8], kernel = 3, stride = 1, padding = 1,
#   activation, slope, flat (whether samples come as vectors)
# kind = "module": path = "nets.py:make" (your file, and a function in it that returns a torch module; it is run),
#   weights = "weights.npz" (its parameters by name; left out: as made)

[tasks]
source = "catastrophic_pair"    # catastrophic_pair | figure1 | digits | teacher | file
eps = 0.005                     # in (0, 0.01)
kind = "classification"         # or "regression"
#
# source = "figure1": panel = "a" (for linear), "b" (for simplified_relu) or "c" (for squared_linear)
# source = "digits": pairs = [[0, 1], [2, 3]], samples = 100, seed = 0, kind, center = false
# source = "teacher": num_tasks = 2, samples = 10, seed = 0, kind, margin = 1.0
# source = "file": path = "tasks.npz" (arrays X and y; or X_0, y_0, X_1, ...) or "tasks.csv" (y, task, ...), kind

[start]
kind = "values"                 # zero | he | lecun | normal | sphere | values | file
values = [0.0, 0.5, 0.0, 0.0]   # or several such lists: that many trajectories in one batch
#
# kind = "he" (or lecun, normal, sphere): scale = 1.0, seed = 0, count = 1 (starts in one batch of trajectories)
# kind = "file": path = "start.npy", or "start.npz" with key = "theta"

[projection]
sets = [0]                  # for `project`: "joint" (C*, all tasks) or task numbers, counted from 0
tolerance = 1e-10           # on violation and stationarity
starts = 4                  # initial points of the local solver
seed = 0                    # of its random choices (for `project`)
max_steps = 200             # its step limit for each initial point
all_minimizers = true       # for `project`: look for every nearest point
method = "auto"             # or "local": the general solver, whatever the model

[trajectory]
ordering = "cyclic"         # cyclic | iid | without_replacement | a list of task numbers such as [0, 1, 1]
num_steps = 20              # left out: as many as a given ordering has, or else 20
seed = 0                    # of every random choice: ordering, minimizers, the local solver
choice = "first"            # among several nearest points: first | random | all (a tree of branches)
max_branches = 64           # of that tree
measure = "all"             # distances to measure: all (each C_m and C*) | sets (each C_m) | none
# store = "trajectory.npz"  # keep the steps there as they are made ...
resume = true               # ... and go on from what it holds

[diagnosis]
# radius = 0.1              # of the ball around the point of C* (left out: a hundredth of the point's norm)
project = true              # look at a projection onto C*, instead of the start scaled to its boundary
draws = 0                   # points of the ball whose distances are compared by projections (takes long)
seed = 0                    # of the searches
"""
