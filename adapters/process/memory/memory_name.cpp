// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <memory/memory_name.hpp>

#include <coproc/detail/forks.hpp>
#include <coproc/error.hpp>
#include <os/socket.hpp>
#include <os/system_call.hpp>
#include <src/reactor.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace coproc::detail {
namespace {

constexpr timeval longest_wait{5, 0};
constexpr int most_waiting = 128;

struct address {
    sockaddr_un socket{};
    socklen_t size = 0;

    explicit address(std::string_view name) {
        const std::string full = "coproc/" + std::to_string(::geteuid()) + "/" + std::string{name};
        static_assert(longest_memory_name + sizeof "coproc/4294967295/" <= sizeof socket.sun_path);
        socket.sun_family = AF_UNIX;
        std::memcpy(socket.sun_path + 1, full.data(), full.size());
        size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + full.size());
    }
    [[nodiscard]] const sockaddr* get() const noexcept {
        return reinterpret_cast<const sockaddr*>(&socket);
    }
};

bool is_of_this_user(int socket) noexcept {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           peer.uid == ::geteuid();
}

std::string quoted(std::string_view name) { return "\"" + std::string{name} + "\""; }

/// The sockets that this process listens to: the child of a fork does not.
struct listening {
    std::mutex mutex;
    std::vector<int> sockets;
};

listening& all() {
    static listening* const instance = [] {
        ::pthread_atfork([]() noexcept { all().mutex.lock(); },
                         []() noexcept { all().mutex.unlock(); },
                         []() noexcept {
                             for (const int socket : all().sockets)
                                 ::close(socket);
                             all().sockets.clear();
                             all().mutex.unlock();
                         });
        return new listening;
    }();
    return *instance;
}

const made_before_main made_early{all};

} // namespace

struct memory_name::listener : std::enable_shared_from_this<listener> {
    boost::asio::posix::stream_descriptor socket{reactor()};
    boost::asio::steady_timer pause{reactor()};
    os::unique_fd memory;
    std::function<bool()> withdrawn;
    const unsigned generation = count_forks();
    std::mutex mutex;
    bool open = false;

    void wait() {
        socket.async_wait(boost::asio::posix::descriptor_base::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                              if (!error) self->answer();
                          });
    }

    void wait_a_while() {
        pause.expires_after(std::chrono::milliseconds{100});
        pause.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
            if (!error) self->answer();
        });
    }

    void answer() {
        const std::scoped_lock lock{mutex};
        while (open) {
            const os::unique_fd client{
                ::accept4(socket.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
            if (!client) {
                if (errno == EINTR || errno == ECONNABORTED) continue;
                if (errno == EAGAIN)
                    wait();
                else
                    wait_a_while(); // there is no descriptor for it, and it stays in line
                return;
            }
            if (withdrawn()) {
                close();
            } else if (is_of_this_user(client.get())) {
                const std::byte greeting{'m'};
                const int fd = memory.get();
                try {
                    os::send_message(client.get(), {&greeting, 1}, {&fd, 1});
                } catch (const std::system_error&) {
                    // It sees the end of the connection.
                }
            }
        }
    }

    /// Under the mutex. The name is free before this returns.
    void close() noexcept {
        if (!open) return;
        open = false;
        pause.cancel();
        const int fd = socket.release();
        const std::scoped_lock lock{all().mutex};
        std::erase(all().sockets, fd);
        ::close(fd);
    }
};

std::shared_ptr<memory_name> memory_name::take(std::string_view name, int memory,
                                               std::function<bool()> withdrawn) {
    check_memory_name(name);
    std::shared_ptr<memory_name> result{new memory_name};
    auto made = std::make_shared<listener>();
    made->memory = os::duplicate(memory);
    made->withdrawn = std::move(withdrawn);
    const address at{name};
    const std::scoped_lock lock{made->mutex};
    {
        listening& l = all();
        const std::scoped_lock others{l.mutex};
        os::unique_fd socket{
            os::check(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                      "create a socket for the name of shared memory")};
        if (::bind(socket.get(), at.get(), at.size) != 0) {
            if (errno != EADDRINUSE) os::throw_system_error("take the name of shared memory");
            throw std::system_error{EEXIST, std::generic_category(),
                                    "coproc: there is shared memory of the name " + quoted(name)};
        }
        os::check(::listen(socket.get(), most_waiting), "answer for the name of shared memory");
        l.sockets.reserve(l.sockets.size() + 1);
        made->socket.assign(socket.get());
        l.sockets.push_back(socket.release());
    }
    made->open = true;
    made->wait();
    result->listener_ = std::move(made);
    return result;
}

void memory_name::give_up() noexcept {
    if (listener_->generation != count_forks()) return; // it is the parent's
    const std::scoped_lock lock{listener_->mutex};
    listener_->close();
}

memory_name::~memory_name() {
    if (listener_ == nullptr) return;
    give_up();
    // In the child of a fork it belongs to a reactor that is not there.
    if (listener_->generation != count_forks())
        static_cast<void>(new std::shared_ptr<listener>{std::move(listener_)});
}

os::unique_fd ask_for_memory(std::string_view name) {
    check_memory_name(name);
    const address at{name};
    const os::unique_fd socket{os::check(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0),
                                         "create a socket to ask for shared memory")};
    for (const int option : {SO_SNDTIMEO, SO_RCVTIMEO})
        os::check(
            ::setsockopt(socket.get(), SOL_SOCKET, option, &longest_wait, sizeof longest_wait),
            "limit the wait for shared memory");
    const auto late = [&] {
        return timeout_error{timeout_error::waiting,
                             "coproc: the owner of the shared memory " + quoted(name) +
                                 " did not answer within five seconds (is its process stopped?)"};
    };
    if (os::retry([&] { return ::connect(socket.get(), at.get(), at.size); }) != 0) {
        if (errno == EAGAIN || errno == EINPROGRESS) throw late();
        if (errno != ECONNREFUSED && errno != ENOENT)
            os::throw_system_error("ask for shared memory");
        throw std::system_error{ENOENT, std::generic_category(),
                                "coproc: there is no shared memory of the name " + quoted(name)};
    }
    if (!is_of_this_user(socket.get()))
        throw std::system_error{EACCES, std::generic_category(),
                                "coproc: another user's process has the name " + quoted(name)};
    // Waits, for the given time; then there is something to take.
    std::byte greeting{};
    const auto size =
        os::retry([&] { return ::recv(socket.get(), &greeting, sizeof greeting, MSG_PEEK); });
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) throw late();
    if (size <= 0) return {};
    auto received = os::receive_message(socket.get(), {&greeting, 1});
    if (received.descriptors.size() != 1)
        os::throw_system_error("receive shared memory: the process may not have more open "
                               "descriptors (see ulimit -n)",
                               EMFILE);
    return std::move(received.descriptors.front());
}

} // namespace coproc::detail
