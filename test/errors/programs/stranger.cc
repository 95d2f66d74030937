// An addon of another version. It needs none of Node's headers, because these names are part of the stable ABI.
#include <cstddef>

extern "C" {

int napi_create_string_utf8(void* env, const char* text, std::size_t length, void** result);
int napi_set_named_property(void* env, void* object, const char* name, void* value);

__attribute__((visibility("default"))) void* napi_register_module_v1(void* env, void* exports) {
#ifdef CONTRACT
  void* hash = nullptr;
  napi_create_string_utf8(env, CONTRACT, sizeof CONTRACT - 1, &hash);
  napi_set_named_property(env, exports, "contract", hash);
#endif
  return exports;
}

}  // extern "C"
