"""Send what could not be sent before: `python -m ssml.tracking`."""

import argparse
import sys

from . import resend

argparse.ArgumentParser(prog="python -m ssml.tracking", description=__doc__).parse_args()
left = resend()
print(f"{left} records could not be sent" if left else "nothing is left to send")
sys.exit(bool(left))
