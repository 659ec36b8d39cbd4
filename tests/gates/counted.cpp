// Counts what a run that is repeated must not do: take memory, whoever asks for it, and take a lock. glibc.
//
// A program's own definitions come before those of its libraries, so calls of the C++ library are counted too.
#include <atomic>
#include <cerrno>
#include <cstddef>

#include <dlfcn.h>
#include <pthread.h>

namespace {
std::atomic<long> allocations{0}, locks{0};

template <class F> F* next(F*, const char* name) { return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name)); }
}  // namespace

extern "C" {
long counted_allocations() { return allocations; }
long counted_locks() { return locks; }

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t n) { return ++allocations, __libc_malloc(n); }
void* calloc(std::size_t n, std::size_t size) { return ++allocations, __libc_calloc(n, size); }
void* realloc(void* p, std::size_t n) { return ++allocations, __libc_realloc(p, n); }
void* memalign(std::size_t alignment, std::size_t n) { return ++allocations, __libc_memalign(alignment, n); }
void* aligned_alloc(std::size_t alignment, std::size_t n) { return ++allocations, __libc_memalign(alignment, n); }
int posix_memalign(void** to, std::size_t alignment, std::size_t n) { return ++allocations, (*to = __libc_memalign(alignment, n)) ? 0 : ENOMEM; }

int pthread_mutex_lock(pthread_mutex_t* m) {
    static const auto real = next(&pthread_mutex_lock, "pthread_mutex_lock");
    return ++locks, real(m);
}
int pthread_mutex_trylock(pthread_mutex_t* m) {
    static const auto real = next(&pthread_mutex_trylock, "pthread_mutex_trylock");
    return ++locks, real(m);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* l) {
    static const auto real = next(&pthread_rwlock_rdlock, "pthread_rwlock_rdlock");
    return ++locks, real(l);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* l) {
    static const auto real = next(&pthread_rwlock_wrlock, "pthread_rwlock_wrlock");
    return ++locks, real(l);
}
}
