"""What TensorFlow logs that helps nobody on a command line."""

import logging
import os


def quiet_tensorflow():
    """Silence it before it is imported. Its errors are raised in Python too.

    What else it logs at these levels is a search for GPUs and optimizations that it then does
    without, and that prediction was traced once for each network and size of batch.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
