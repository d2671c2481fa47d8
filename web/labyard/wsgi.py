"""What a web server loads."""

import gc

from .app import create_app

application = create_app()

# All that is loaded stays. Left to the collector, it is walked through again and again, which takes a
# tenth of a second in which no request is answered.
gc.collect()
gc.freeze()
