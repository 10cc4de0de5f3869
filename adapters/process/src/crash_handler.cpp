// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/crash_handler.hpp>

#include <os/memfd.hpp>
#include <os/signals.hpp>

#include <atomic>
#include <csignal>
#include <cstring>
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace coproc::detail {
namespace {

constexpr int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
constexpr std::size_t stack_bytes = 256 * 1024; // the unwinder wants some

// Process-wide on purpose: a signal handler has no other way to find them.
crash_area* area_of_process = nullptr;
const link_map* noted[crash_area::max_modules]; // the modules in the area
std::uint32_t noted_count = 0;
std::uint32_t path_end = 0;
std::atomic<pid_t> handling{0};

std::uintptr_t faulting_pc(const void* context) noexcept {
    [[maybe_unused]] const auto* const machine =
        &static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    return static_cast<std::uintptr_t>(machine->gregs[REG_RIP]);
#elif defined(__aarch64__)
    return static_cast<std::uintptr_t>(machine->pc);
#else
    return 0;
#endif
}

/// Its number in the area, no_module when there is no room.
std::uint32_t note(const link_map& module) noexcept {
    for (std::uint32_t i = 0; i != noted_count; ++i)
        if (noted[i] == &module) return i;
    // The program itself has no name; that is its name in frames, too.
    const char* const path = module.l_name != nullptr ? module.l_name : "";
    const std::size_t length = std::strlen(path);
    crash_area& area = *area_of_process;
    if (noted_count == crash_area::max_modules || path_end + length + 1 > crash_area::path_bytes)
        return crash_area::no_module;
    std::memcpy(area.paths + path_end, path, length + 1);
    area.path_at[noted_count] = path_end;
    path_end += static_cast<std::uint32_t>(length) + 1;
    noted[noted_count] = &module;
    area.modules.store(noted_count + 1, std::memory_order_release);
    return noted_count++;
}

/// The module whose code stands there, if any. Made for unwinders, so a signal handler may call
/// it, unlike dladdr and dl_iterate_phdr, which take a lock. (glibc 2.35.)
const link_map* module_at([[maybe_unused]] std::uintptr_t place) noexcept {
#ifdef DLFO_STRUCT_HAS_EH_DBASE
    dl_find_object found{};
    if (::_dl_find_object(reinterpret_cast<void*>(place), &found) == 0) return found.dlfo_link_map;
#endif
    return nullptr;
}

void put_frame(std::uint32_t at, std::uintptr_t address, bool call) noexcept {
    // A return address is behind the call; the instruction before it tells the line.
    const std::uintptr_t place = call && address != 0 ? address - 1 : address;
    crash_area::frame& frame = area_of_process->frame_at[at];
    frame.module = crash_area::no_module;
    frame.offset = place;
    const link_map* const module = module_at(place);
    if (module == nullptr) return;
    frame.module = note(*module);
    if (frame.module != crash_area::no_module) frame.offset = place - module->l_addr;
}

void on_crash(int signal, siginfo_t* info, void* context) {
    const auto self = static_cast<pid_t>(::syscall(SYS_gettid));
    pid_t nobody = 0;
    const bool first = handling.compare_exchange_strong(nobody, self);
    if (!first && nobody != self)
        for (;;)
            ::pause(); // another thread is dying already; the process ends with it
    std::signal(signal, SIG_DFL);
    if (first) {
        crash_area& area = *area_of_process;
        area.signal = signal;
        area.address = reinterpret_cast<std::uint64_t>(info->si_addr);
        area.happened.store(1, std::memory_order_release);
        // Should unwinding a ruined stack never end.
        std::signal(SIGALRM, SIG_DFL);
        sigset_t alarm_signal;
        ::sigemptyset(&alarm_signal);
        ::sigaddset(&alarm_signal, SIGALRM);
        ::sigprocmask(SIG_UNBLOCK, &alarm_signal, nullptr);
        ::alarm(2);

        const std::uintptr_t pc = faulting_pc(context);
        std::uint32_t count = 0;
        put_frame(count++, pc, false);
        area.frames.store(count,
                          std::memory_order_release); // at least that, should the unwinder fail
        void* frames[crash_area::max_frames + 8];
        const int depth = ::backtrace(frames, static_cast<int>(std::size(frames)));
        // Above the faulting frame are the handler's own.
        int at = 0;
        while (at != depth && reinterpret_cast<std::uintptr_t>(frames[at]) != pc)
            ++at;
        at = at == depth ? 2 : at + 1;
        for (; at < depth && count != crash_area::max_frames; ++at)
            put_frame(count++, reinterpret_cast<std::uintptr_t>(frames[at]), true);
        area.frames.store(count, std::memory_order_release);
        ::alarm(0);
    }
    // A fault happens again on return, now with the default action; others must be sent again.
    if (info->si_code <= 0 || signal == SIGTRAP) ::syscall(SYS_tgkill, ::getpid(), self, signal);
}

} // namespace

void install_crash_handler(crash_area& area) {
    area_of_process = &area;

    void* warm_up[4];
    ::backtrace(warm_up, 4); // loads the unwinder, which a signal handler may not

    // With a page below it that nobody may touch.
    const std::size_t page = os::page_size();
    void* const stack = ::mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    stack_t former{};
    ::sigaltstack(nullptr, &former);
    if (stack != MAP_FAILED && (former.ss_flags & SS_DISABLE) != 0) {
        ::mprotect(stack, page, PROT_NONE);
        stack_t alternate{};
        alternate.ss_sp = static_cast<char*>(stack) + page;
        alternate.ss_size = stack_bytes;
        ::sigaltstack(&alternate, nullptr);
    }

    struct sigaction action{};
    action.sa_sigaction = &on_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    for (const int signal : signals) {
        struct sigaction present{};
        ::sigaction(signal, nullptr, &present);
        if (present.sa_handler == SIG_DFL) ::sigaction(signal, &action, nullptr);
    }
}

} // namespace coproc::detail
