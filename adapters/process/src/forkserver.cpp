// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/forkserver.hpp>

#include <coproc/detail/forks.hpp>
#include <coproc/error.hpp>
#include <os/clock.hpp>
#include <os/pidfd.hpp>
#include <os/socket.hpp>
#include <os/system_call.hpp>
#include <src/exec_launcher.hpp>
#include <src/fork_guard.hpp>
#include <src/handshake.hpp>
#include <src/reactor.hpp>

#include <csignal>
#include <cstring>
#include <poll.h>
#include <utility>
#include <vector>

namespace coproc::detail {
namespace {

struct the_server {
    std::mutex mutex;
    std::shared_ptr<forkserver> current;
    the_server* former = nullptr; // the parent's, in the child of a fork
};

/// Never destroyed: the server goes when the program does.
the_server& server_of_program() {
    static the_server* instance = [] {
        on_fork_in_child([]() noexcept {
            auto* const own = new the_server;
            own->former = std::exchange(instance, own);
        });
        return new the_server;
    }();
    return *instance;
}

const made_before_main made_early{server_of_program};

} // namespace

std::shared_ptr<forkserver> forkserver::get(unsigned omp_threads) {
    the_server& program = server_of_program();
    const std::scoped_lock lock{program.mutex};
    if (!program.current || program.current->broken())
        program.current = std::shared_ptr<forkserver>{new forkserver{omp_threads}};
    return program.current;
}

forkserver::forkserver(unsigned omp_threads) : generation_{count_forks()} {
    auto [mine, its] = os::make_socketpair();
    std::int32_t error = 0;
    exec_launcher launcher{role::forkserver, {},          its.get(), os::own_pidfd(),
                           "forkserver",     omp_threads, &error};
    std::string title = process_title("forkserver");
    title.resize(title.size() + 64, ' '); // room for its workers' titles
    const std::vector<std::string> arguments{std::move(title)};
    auto process = launcher(reactor().get_executor(), own_executable, arguments);
    pid_ = process.id();
    pidfd_ = os::open_pidfd(pid_);
    static_cast<void>(process.detach());
    its.reset();
    socket_ = std::move(mine);
    keep_private(socket_.get());
    keep_private(pidfd_.get());
    try {
        if (error != 0) os::throw_system_error("start the forkserver", error);
        wait_for_hello();
    } catch (...) { // no destructor will run
        no_longer_private(socket_.get());
        no_longer_private(pidfd_.get());
        os::send_signal(pidfd_.get(), SIGKILL);
        os::wait_until_ended(pidfd_.get(), std::chrono::seconds{5});
        os::try_reap(pidfd_.get());
        throw;
    }
}

void forkserver::wait_for_hello() {
    const auto said = next(std::chrono::steady_clock::now() + handshake::hello_timeout, false);
    if (said && said->report.what == fork_report::hello) return;
    throw bootstrap_error{handshake::missing_runtime_text(
        said ? "the forkserver started workers of its own"
             : (broken_ ? "the forkserver ended" : "the forkserver did not get"))};
}

forkserver::~forkserver() {
    no_longer_private(socket_.get());
    no_longer_private(pidfd_.get());
    if (generation_ != count_forks()) return;
    socket_.reset(); // its sign to go
    if (pid_ == 0) return;
    if (!os::wait_until_ended(pidfd_.get(), std::chrono::milliseconds{200}))
        os::send_signal(pidfd_.get(), SIGKILL);
    os::wait_until_ended(pidfd_.get(), std::chrono::seconds{5});
    os::try_reap(pidfd_.get());
}

bool forkserver::broken() const noexcept {
    const std::scoped_lock lock{mutex_};
    return broken_ || os::has_ended(pidfd_.get());
}

std::optional<forkserver::delivery> forkserver::next(std::chrono::steady_clock::time_point deadline,
                                                     bool stop_at_ended) {
    while (!broken_) {
        fork_report report;
        os::received got =
            os::receive_message(socket_.get(), std::as_writable_bytes(std::span{&report, 1}));
        if (got.what == os::received::status::end) {
            broken_ = true;
            break;
        }
        if (got.what == os::received::status::nothing) {
            const timespec limit = os::to_timespec(deadline - std::chrono::steady_clock::now());
            if (limit.tv_sec == 0 && limit.tv_nsec == 0) break;
            pollfd entry{socket_.get(), POLLIN, 0};
            static_cast<void>(::ppoll(&entry, 1, &limit, nullptr));
            continue;
        }
        if (got.size != sizeof report) continue;
        if (report.what == fork_report::ended) {
            ended_[report.pid] = report.value;
            if (stop_at_ended) break;
            continue;
        }
        delivery result{report, {}};
        if (!got.descriptors.empty()) result.pidfd = std::move(got.descriptors.front());
        return result;
    }
    return std::nullopt;
}

forkserver::child forkserver::start(const std::string& name, unsigned omp_threads,
                                    channel_numbers parent, int child_socket,
                                    const tagged_output* output) {
    const std::scoped_lock lock{mutex_};
    // Reports first, so that neither waits for the other with both directions full.
    next(std::chrono::steady_clock::time_point{}, false);
    fork_request request;
    request.omp_threads = omp_threads;
    std::strncpy(request.name, name.c_str(), sizeof request.name - 1);
    std::vector<int> descriptors{parent.memory, child_socket, parent.bell};
    if (output != nullptr)
        descriptors.insert(descriptors.end(), {output->child_stdout(), output->child_stderr()});
    if (!os::send_message(socket_.get(), std::as_bytes(std::span{&request, 1}), descriptors))
        broken_ = true;
    auto answer = next(std::chrono::steady_clock::now() + std::chrono::seconds{30}, false);
    if (!answer) {
        broken_ = true;
        os::throw_system_error("start a worker: the forkserver is gone", ECHILD);
    }
    if (answer->report.what != fork_report::started)
        os::throw_system_error("start a worker from the forkserver", answer->report.value);
    if (!answer->pidfd)
        os::throw_system_error("receive a worker's descriptor", EMFILE); // it sees the socket's end
    ended_.erase(answer->report.pid);
    return {answer->report.pid, std::move(answer->pidfd)};
}

std::optional<int> forkserver::exit_code(pid_t pid, std::chrono::nanoseconds patience) noexcept {
    try {
        const std::scoped_lock lock{mutex_};
        const auto deadline = std::chrono::steady_clock::now() + patience;
        for (;;) {
            if (const auto found = ended_.find(pid); found != ended_.end()) {
                const int code = found->second;
                ended_.erase(found);
                return code;
            }
            if (broken_ || std::chrono::steady_clock::now() > deadline) return std::nullopt;
            next(deadline, true);
        }
    } catch (...) {
        return std::nullopt;
    }
}

} // namespace coproc::detail
