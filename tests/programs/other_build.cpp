// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A program whose workers say that they are another build of it. Each process leaves a mark in the
// file that COPROC_TEST_MARKS names.
//     other_build build|version

#include <coproc/coproc.hpp>
#include <coproc/detail/function_id.hpp>
#include <src/handover.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace {

void leave_mark() {
    const char* const file = std::getenv("COPROC_TEST_MARKS");
    if (file == nullptr) return;
    const int marks = ::open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (::write(marks, ".", 1) != 1) std::_Exit(2);
    ::close(marks);
}

/// As worker_loop says it, but for one thing.
[[noreturn]] void say_hello(coproc::detail::handover given) {
    using namespace coproc::detail;
    endpoint channel{channel_side::worker, std::move(given.channel)};
    const bool other_version = std::getenv("COPROC_TEST_VERSION") != nullptr;
    const std::string build = other_version ? program_build_id() : "0123456789abcdef";
    const std::size_t size =
        sizeof protocol_version + sizeof(std::int32_t) + sizeof(std::uint64_t) + build.size();
    channel.send(message_kind::hello, 0, 0, size, [&](writer& w) {
        w.raw(protocol_version + (other_version ? 1 : 0));
        w.raw(static_cast<std::int32_t>(::getpid()));
        w.raw(static_cast<std::uint64_t>(build.size()));
        w.bytes(build.data(), build.size());
    });
    for (;;)
        ::pause(); // the parent sees to the end
}

} // namespace

int main(int argc, char** argv) {
    leave_mark();
    if (auto given = coproc::detail::take_handover()) say_hello(std::move(*given));
    if (argc > 1 && std::string{argv[1]} == "version") ::setenv("COPROC_TEST_VERSION", "1", 1);
    try {
        coproc::pool pool{2};
        auto h = pool.apply_async([](int x) { return x; }, 1);
        std::printf("result %d\n", h.get(std::chrono::seconds{30}));
    } catch (const coproc::bootstrap_error& e) {
        std::printf("bootstrap_error: %s\n", e.what());
    } catch (const std::exception& e) {
        std::printf("another error: %s\n", e.what());
    }
}
