"""Networks that do not exist, and real ones made worse: what losses, queues and limits do to a stream."""
