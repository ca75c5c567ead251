"""Controls: statements of predecessors that are known to hold. None of them may ever be refuted."""
