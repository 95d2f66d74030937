// The sizes are checked while this compiles, for every machine that the core is built for.
#include "shared_structs.h"
