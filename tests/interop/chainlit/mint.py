"""Print a token for a user, as Chainlit's login makes it (`chainlit.auth.create_jwt`, which takes long to import)."""

import os
import sys
import time

import jwt

claims = {"identifier": sys.argv[1], "display_name": None, "metadata": {}, "exp": time.time() + 3600}
print(jwt.encode(claims, os.environ["INTEROP_SECRET"], algorithm="HS256"))
