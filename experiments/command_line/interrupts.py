"""An interrupt from the keyboard (Ctrl-C), answered by one message at each moment of a command."""

import contextlib
import os
import signal
import sys

from experiments.errors import INTERRUPTED


class Interrupts:
    """What is to be done and said after an interrupt."""

    message = "Interrupted."
    working = False
    received = False

    def listen(self):
        """Answer interrupts from now on, unless the shell has switched them off."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._answer)

    @contextlib.contextmanager
    def while_working(self, message):
        """Let an interrupt end the block with a `KeyboardInterrupt`, and have this message."""
        before = self.message, self.working
        self.message, self.working, self.received = message, True, False
        try:
            yield
        finally:
            self.message, self.working = before

    def heed(self):
        """Raise the `KeyboardInterrupt` of an interrupt again, if a library has swallowed it.

        Keras does where it comes while a batch is waited for (`except: pass` around its logs).
        """
        if self.working and self.received:
            raise KeyboardInterrupt

    def _answer(self, number, frame):
        """Raise a `KeyboardInterrupt`, or end the process where nobody would understand that.

        Modules with parts in C turn an interrupt of their import into errors of their own, and
        outside of the work there is nobody to catch it. Files are whole at each moment, so that
        the process may end at any.
        """
        if self.working and not self.received and not _importing(frame):
            self.received = True
            raise KeyboardInterrupt
        with contextlib.suppress(Exception):  # what was interrupted may be this very writing
            sys.stdout.flush()
        os.write(2, f"\n{self.message}\n".encode())
        os._exit(INTERRUPTED)


def _importing(frame):
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


INTERRUPTS = Interrupts()
