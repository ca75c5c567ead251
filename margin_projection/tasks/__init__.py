"""Tasks (labelled samples), where they come from, and the orderings in which they are met."""

from margin_projection.tasks import orderings
from margin_projection.tasks._digits import digits
from margin_projection.tasks.files import load_tasks, save_tasks
from margin_projection.tasks.orderings import Ordering, as_ordering
from margin_projection.tasks.paper import catastrophic_pair, figure1
from margin_projection.tasks.task import Task
from margin_projection.tasks.teacher import teacher_tasks

__all__ = [
    "Ordering",
    "Task",
    "as_ordering",
    "catastrophic_pair",
    "digits",
    "figure1",
    "load_tasks",
    "orderings",
    "save_tasks",
    "teacher_tasks",
]
