# Imports a package that asks for CUDA when it is imported; then does what its argument says: nothing, `context`.
import sys

import pkg

if sys.argv[1:] == ["context"]:
    pkg.gpu.make_context()
