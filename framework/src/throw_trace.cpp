// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Where an exception was thrown: a throw expression calls __cxa_throw, and this one stands in front
// of the C++ runtime's. It notes the calls of threads that are inside a task, and passes everything
// on.

#include <coproc/detail/backtrace.hpp>
#include <coproc/detail/made_once.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <sanitized.hpp>
#include <unistd.h>

#if !defined(COPROC_THROW_BACKTRACES)
#define COPROC_THROW_BACKTRACES 1
#endif

// Sanitizers stand in front of __cxa_throw themselves.
#if COPROC_THROW_BACKTRACES && defined(__GLIBC__) && !defined(COPROC_SANITIZED)
#define COPROC_TRACES_THROWS 1
#endif

namespace coproc::detail {
namespace {

/// The last few throws of a thread: a task may throw and catch others while one is on its way.
struct thrown {
    const void* object = nullptr;
    std::size_t count = 0;
    std::array<void*, 64> frames;
};

struct trace_state {
    bool on = false;
    std::size_t next = 0;
    std::array<thrown, 4> last;
};

thread_local trace_state trace;

} // namespace

[[gnu::hot]] bool trace_throws(bool on) noexcept {
    const bool before = trace.on;
    trace.on = on;
    return before;
}

backtrace_data thrown_backtrace(const std::exception_ptr& exception) {
    // An exception_ptr is a pointer to the thrown object, in libstdc++ and libc++ alike.
    static_assert(sizeof(std::exception_ptr) == sizeof(void*));
    const void* object = nullptr;
    std::memcpy(static_cast<void*>(&object), static_cast<const void*>(&exception), sizeof object);
    if (object == nullptr) return {};
    for (std::size_t i = 0; i != trace.last.size(); ++i) {
        const thrown& candidate =
            trace.last[(trace.next + trace.last.size() - 1 - i) % trace.last.size()];
        if (candidate.object == object)
            return to_backtrace(std::span{candidate.frames}.first(candidate.count));
    }
    return {};
}

#if defined(COPROC_TRACES_THROWS)

namespace {

using throw_function = void (*)(void*, void*, void (*)(void*));

/// The C++ runtime's own. Looked for in what was loaded after this file, then by the runtimes'
/// names: a program with an unusual link order must be able to throw, too.
throw_function real_throw() noexcept {
    static constinit made_once<throw_function> found;
    return found.get([] {
        void* symbol = ::dlsym(RTLD_NEXT, "__cxa_throw");
        for (const char* runtime : {"libstdc++.so.6", "libc++abi.so.1"}) {
            if (symbol != nullptr) break;
            if (void* library = ::dlopen(runtime, RTLD_LAZY | RTLD_NOLOAD))
                symbol = ::dlsym(library, "__cxa_throw");
        }
        return reinterpret_cast<throw_function>(symbol);
    });
}

[[gnu::noinline]] void note_throw(const void* object) noexcept {
    trace.on = false; // the unwinder does not throw, but nothing is lost by being sure
    thrown& entry = trace.last[trace.next++ % trace.last.size()];
    entry.object = object;
    std::array<void*, 66> frames;
    const std::size_t count = unwind(frames);
    const std::size_t own = std::min<std::size_t>(count, 2); // note_throw and __cxa_throw
    entry.count = count - own;
    std::copy_n(frames.data() + own, entry.count, entry.frames.data());
    trace.on = true;
}

} // namespace
#endif

} // namespace coproc::detail

#if defined(COPROC_TRACES_THROWS)

// Weak, and with a reference to its neighbour in the runtime: where the runtime is linked
// statically its own
// __cxa_throw comes along with that neighbour and takes precedence, and nothing is traced.
extern "C" [[noreturn]] void __cxa_rethrow();

extern "C" [[noreturn, gnu::weak, gnu::noinline, gnu::visibility("default")]] void
__cxa_throw(void* object, void* type, void (*destroy)(void*)) {
    using namespace coproc::detail;
    if (trace.on) note_throw(object);
    if (const throw_function real = real_throw()) {
        real(object, type, destroy);
    } else {
        static constexpr char text[] =
            "coproc: this program's C++ runtime was not found behind the throw tracer; "
            "build coproc with COPROC_THROW_BACKTRACES=0\n";
        static_cast<void>(!::write(STDERR_FILENO, text, sizeof text - 1));
    }
    std::abort();
}

namespace coproc::detail {
[[gnu::used]] void (*const throw_neighbour)() = &__cxa_rethrow;
}

#endif
