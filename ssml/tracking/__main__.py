"""Send what could not be sent before: `python -m ssml.tracking`."""

import sys

from . import resend

left = resend()
print(f"{left} records could not be sent" if left else "nothing is left to send")
sys.exit(bool(left))
