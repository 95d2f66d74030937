// The compiler checks the sizes here, for every machine for which the core is built.
#include "shared_structs.h"
