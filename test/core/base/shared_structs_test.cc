// Contains no test: the compiler checks the assertions of shared_structs.h, for every machine for which the core is
// built.
#include "shared_structs.h"
