// A binary built on a new system must load on every system that Node.js itself runs on, whose GNU libraries may
// be older. The headers of a new libstdc++ refer to the following names that old libraries lack, so the addon
// brings its own. The version script keeps them to the addon. Mozilla's stdc++compat.cpp does the same.
// `npm run check:package` finds any further name of this kind.

#include <memory>
#include <new>
#include <vector>

#if defined(__GLIBC__) && defined(__GLIBCXX__)

// New in GLIBC_2.32. The value 0 makes std::shared_ptr count with atomic instructions from the first thread on.
extern "C" char __libc_single_threaded;
char __libc_single_threaded = 0;

namespace std {

// New in GLIBCXX_3.4.29.
__attribute__((__noreturn__)) void __throw_bad_array_new_length() { throw std::bad_alloc(); }

#if !__cpp_rtti
// New in GLIBCXX_3.4.26. It is called for pointers that code with RTTI made with std::make_shared; no such pointer
// reaches the addon.
bool _Sp_make_shared_tag::_S_eq(const type_info&) noexcept { return false; }
#endif

}  // namespace std

#endif
