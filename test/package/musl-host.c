/* What libraries of glibc want from glibc that musl lacks. Bun for musl needs libstdc++ and libgcc; Debian has them for
   glibc only, and musl's loader loads those, too, beside this library. It takes the place of ld-linux-x86-64.so.2, which
   they name. */

char __libc_single_threaded = 0;

struct {
  unsigned features[4];
} __cpu_model;

int __cpu_indicator_init(void) { return 0; }

/* A failure: libgcc then searches by dl_iterate_phdr(), which musl has. */
int _dl_find_object(void* place, void* result) {
  (void)place, (void)result;
  return -1;
}

/* A thread's destructors do not run. */
int __cxa_thread_atexit_impl(void (*destroy)(void*), void* object, void* library) {
  (void)destroy, (void)object, (void)library;
  return 0;
}

unsigned arc4random(void) {
  static unsigned state = 1;
  return state = state * 1664525u + 1013904223u;
}

unsigned long strftime_l(char*, unsigned long, const char*, const void*, void*);
unsigned long __strftime_l(char* text, unsigned long size, const char* format, const void* time, void* locale) {
  return strftime_l(text, size, format, time, locale);
}
